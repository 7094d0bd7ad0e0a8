"""Label mined hard negatives: mine, store, exchange, audit, back up."""
