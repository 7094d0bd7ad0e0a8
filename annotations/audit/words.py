"""The words of the audit's report, in English and Vietnamese; plain text, no markup."""

LANGUAGES = ("en", "vi")

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Audit of mined negatives", "Kiểm tra các mẫu âm đã khai thác"),
    "hard": ("Hard negative", "Âm khó"),
    "false_negative": ("False negative", "Âm sai (có trả lời)"),
    "trivial": ("Trivial", "Hiển nhiên"),
    "unsure": ("Can't judge", "Không rõ"),
    # how far it is
    "state": (
        "{labelled} of the {sample} sampled candidates are labelled, {unsure} of them “can't judge”; the pool has "
        "{candidates} candidates.",
        "{labelled} trên {sample} ứng viên trong mẫu đã có nhãn, trong đó {unsure} “không rõ”; cả tập có "
        "{candidates} ứng viên.",
    ),
    "partial": (
        "The sample is not finished: {unanswered} candidates have no label yet, and the shares are those of the "
        "labelled part, so provisional.",
        "Mẫu chưa được gán nhãn hết: {unanswered} ứng viên chưa có nhãn, các tỉ lệ chỉ tính trên phần đã có nhãn nên "
        "chỉ là tạm thời.",
    ),
    "undefined": (
        "The shares of the whole are undefined: nothing is labelled yet of {strata}. Label at least one candidate of "
        "each stratum, sample more, or divide the pool by less.",
        "Chưa tính được tỉ lệ của cả tập ứng viên: chưa có nhãn nào thuộc {strata}. Hãy gán nhãn ít nhất một ứng viên "
        "cho mỗi tầng, lấy mẫu lớn hơn, hoặc chia ít tầng hơn.",
    ),
    "and_more": ("and {count} more", "và {count} tầng nữa"),
    # the shares
    "shares": ("Shares", "Tỉ lệ"),
    "label": ("label", "nhãn"),
    "share": ("share", "tỉ lệ"),
    "share_weighted": ("weighted share", "tỉ lệ có trọng số"),
    "interval": ("{level} % interval", "khoảng tin cậy {level} %"),
    "count": ("labelled so", "số nhãn"),
    "range": ("possible range", "khoảng có thể"),
    "range_note": (
        "Possible range: the sample's share if none, or all, of the {open} candidates that are not labelled or "
        "“can't judge” had this label; bounds without any assumption (Manski 1989), sampling error not included.",
        "Khoảng có thể: tỉ lệ trong mẫu nếu không có, hoặc cả {open} ứng viên chưa có nhãn hay “không "
        "rõ” mang nhãn này; cận không cần giả định nào (Manski 1989), chưa kể sai số lấy mẫu.",
    ),
    "chart": ("share, {level} % interval", "tỉ lệ, khoảng tin cậy {level} %"),
    # the strata
    "by": ("By {strata}", "Theo {strata}"),
    "both": ("{first} and {second}", "{first} và {second}"),
    "miner": ("miner", "bộ khai thác"),
    "rank": ("rank", "hạng"),
    "band": ("rank {band}", "hạng {band}"),
    "unranked": ("no rank", "không có hạng"),
    "nameless": ("(no name)", "(không tên)"),
    "pool": ("pool", "cả tập"),
    "weight": ("weight", "trọng số"),
    "sampled": ("sampled", "trong mẫu"),
    "labelled": ("labelled", "đã có nhãn"),
    "strata_note": (
        "Each cell: the share among the labelled candidates of that stratum and its {level} % interval. Intervals of "
        "strata that overlap do not prove that the strata are alike.",
        "Mỗi ô: tỉ lệ trong các ứng viên đã có nhãn của tầng đó và khoảng tin cậy {level} %. Khoảng của hai tầng chồng "
        "lên nhau không chứng minh rằng hai tầng giống nhau.",
    ),
    # the size
    "size": ("Sample size", "Cỡ mẫu"),
    "reached": (
        "Reached now: ± {points} points at worst.",
        "Hiện đạt: ± {points} điểm phần trăm ở trường hợp xấu nhất.",
    ),
    "needed": (
        "For ± {points} points at worst (a share of one half), at {level} %: {needed} labelled candidates out of a "
        "large pool. With the finite population correction, {corrected} of these {candidates} candidates are enough "
        "for what is said of this pool alone.",
        "Để sai số không quá ± {points} điểm phần trăm (khi tỉ lệ là một nửa), ở mức {level} %: cần {needed} ứng viên "
        "có nhãn nếu tập ứng viên rất lớn. Với hiệu chỉnh quần thể hữu hạn, {corrected} trong {candidates} ứng viên "
        "này là đủ cho kết luận chỉ về tập này.",
    ),
    "effect": (
        "This allocation needs about {effect} times as many for the whole as a plain sample (design effect, Kish "
        "1965).",
        "Cách phân bổ này cần khoảng {effect} lần số đó cho cả tập, so với mẫu ngẫu nhiên đơn giản (hệ số thiết kế, "
        "Kish 1965).",
    ),
    # the method
    "method": ("Method", "Phương pháp"),
    "draw_plain": (
        "Drawn at random without replacement from all candidates, seed {seed}; a larger sample with the same seed "
        "contains this one.",
        "Lấy ngẫu nhiên không hoàn lại từ mọi ứng viên, seed {seed}; mẫu lớn hơn với cùng seed sẽ chứa mẫu này.",
    ),
    "draw_proportional": (
        "Drawn at random without replacement within strata by {strata}, seed {seed}, in proportion to their sizes "
        "(Huntington–Hill, at least one each as far as the sample goes); a larger sample with the same seed contains "
        "this one.",
        "Lấy ngẫu nhiên không hoàn lại trong từng tầng theo {strata}, seed {seed}, theo tỉ lệ kích thước tầng "
        "(Huntington–Hill, mỗi tầng ít nhất một nếu mẫu đủ lớn); mẫu lớn hơn với cùng seed sẽ chứa mẫu này.",
    ),
    "draw_equal": (
        "Drawn at random without replacement within strata by {strata}, seed {seed}, equally many from each as far as "
        "it has them; a larger sample with the same seed contains this one.",
        "Lấy ngẫu nhiên không hoàn lại trong từng tầng theo {strata}, seed {seed}, mỗi tầng số lượng bằng nhau nếu "
        "tầng có đủ; mẫu lớn hơn với cùng seed sẽ chứa mẫu này.",
    ),
    "consensus": (
        "The label of a candidate is the adjudicator's where there is a decision, else the one that most of its "
        "annotators gave; a tie counts as “can't judge”. “Can't judge” is one of the four labels in the shares.",
        "Nhãn của một ứng viên là nhãn do người phân xử quyết định nếu có, nếu không là nhãn mà nhiều người gán nhất; "
        "nếu hòa thì tính là “không rõ”. “Không rõ” là một trong bốn nhãn khi tính tỉ lệ.",
    ),
    "wilson": (
        "Intervals: Wilson's score interval (1927), without continuity correction, each label by itself.",
        "Khoảng tin cậy: khoảng score của Wilson (1927), không hiệu chỉnh liên tục, tính riêng cho từng nhãn.",
    ),
    "weighted": (
        "The shares of the whole pool are weighted by the sizes of the strata; their interval is Wilson's at the "
        "effective sample size (Franco, Little, Louis and Slud 2019), the smaller of Kish's and the strata's own "
        "estimate, so no gain by stratification is claimed.",
        "Tỉ lệ trong cả tập có trọng số theo kích thước các tầng; khoảng tin cậy là khoảng Wilson với cỡ mẫu hiệu "
        "dụng (Franco, Little, Louis và Slud 2019), lấy số nhỏ hơn giữa cỡ của Kish và ước lượng từ các tầng, nên "
        "không tính phần lợi do phân tầng.",
    ),
    "finite": (
        "The intervals have the finite population correction: they speak of this pool alone.",
        "Các khoảng tin cậy đã hiệu chỉnh quần thể hữu hạn: chỉ nói về tập ứng viên này.",
    ),
    "infinite": (
        "The intervals have no finite population correction, so they are cautious where much of the pool is sampled.",
        "Các khoảng tin cậy không hiệu chỉnh quần thể hữu hạn, nên thận trọng khi mẫu chiếm phần lớn tập ứng viên.",
    ),
    # examples
    "examples": ("Examples", "Ví dụ"),
    "example": (
        "{id} ({label}), query: {query} Candidate: {passage}",
        "{id} ({label}), câu hỏi: {query} Ứng viên: {passage}",
    ),
}


def say(lang: str, key: str, **values: object) -> str:
    """Return the words for a key in a language (`vi`, else English), with values filled in."""
    english, vietnamese = WORDS[key]
    return (vietnamese if lang == "vi" else english).format(**values)
