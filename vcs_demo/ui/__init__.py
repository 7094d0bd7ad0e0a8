"""The Gradio app: one file a tab, the words in two languages, and safe HTML."""
