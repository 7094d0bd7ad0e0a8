"""What the task is called in other tools, in English and Vietnamese: fields, labels and their guidelines."""

from vcs_demo.words import FOLDER

QUESTION = "Does the candidate answer the query? · Ứng viên có trả lời được câu hỏi không?"
FIELDS = {
    "query": "Query · Câu hỏi",
    "positive": "Known to answer it · Đoạn đã biết là trả lời đúng",
    "candidate": "Candidate · Ứng viên",
}
LABEL_TITLES = {
    "hard": "Hard negative · Âm khó",
    "false_negative": "False negative · Âm sai (có trả lời)",
    "trivial": "Trivial · Hiển nhiên",
    "unsure": "Can't judge · Không rõ",
}
LABEL_MEANINGS = {
    "hard": "same topic, but does not answer · cùng chủ đề nhưng không trả lời được",
    "false_negative": "does answer it, at least in part · thật ra có trả lời, ít nhất một phần",
    "trivial": "about something else, as anybody sees · nói về chuyện khác, ai cũng thấy ngay",
    "unsure": "unclear, or you would have to guess · mơ hồ, hoặc chỉ có thể đoán",
}


def guidelines() -> str:
    """Return the guidelines that the app shows, in both languages, as Markdown."""
    folder = FOLDER / "guidelines"
    texts = [(folder / f"{language}.md").read_text("utf-8") for language in ("en", "vi")]
    return "\n\n---\n\n".join(text.strip() for text in texts) + "\n"
