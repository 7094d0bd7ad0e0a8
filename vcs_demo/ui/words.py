"""Every word a visitor reads, in English and Vietnamese, and the components that carry them."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr

from vcs_demo.errors import UserError, quoted

LANGUAGES = (("English", "en"), ("Tiếng Việt", "vi"))

WORDS: dict[str, tuple[str, str]] = {
    "app.intro": (
        "### Vietnamese Context Search\nCompare embedding models, label hard negatives, retrain. "
        "*Not medical advice: the health texts are examples for search, written for this demo or taken from your "
        "own source.*",
        "### Tìm kiếm ngữ cảnh tiếng Việt\nSo sánh các mô hình nhúng, gán nhãn mẫu âm khó, huấn luyện lại. "
        "*Đây không phải lời khuyên y tế: các văn bản sức khỏe chỉ là ví dụ để tìm kiếm, được viết riêng cho bản demo "
        "này hoặc lấy từ nguồn dữ liệu của bạn.*",
    ),
    "app.language": ("Language", "Ngôn ngữ"),
    "app.source": ("Source: {source}", "Nguồn dữ liệu: {source}"),
    "app.mini": (
        "VCS-mini, a small set written for this demo; its figures are not the benchmark's",
        "VCS-mini, một bộ nhỏ viết riêng cho bản demo; số đo trên đó không phải số đo của benchmark",
    ),
    "app.single": (
        "Single-user mode: labels are filed under “local”.",
        "Chế độ một người dùng: nhãn được ghi dưới tên “local”.",
    ),
    "app.accounts": (
        "Signed in with an account of this team.",
        "Đã đăng nhập bằng tài khoản của nhóm.",
    ),
    "app.signs_in": (
        "Sign in with the account that your team gave you.",
        "Hãy đăng nhập bằng tài khoản mà nhóm đã cấp cho bạn.",
    ),
    "app.read-only": (
        "Read-only: this app is open to others and cannot tell who they are. Start it on 127.0.0.1 to label.",
        "Chỉ đọc: ứng dụng đang mở cho nhiều người mà không nhận biết được ai. Hãy chạy trên 127.0.0.1 để gán nhãn.",
    ),
    "app.space": ("Sign in with Hugging Face to label.", "Đăng nhập bằng Hugging Face để gán nhãn."),
    # errors that a visitor can cause; the English is the exception's own
    "error.no_query": (
        "The query is empty; type one, or choose one of the benchmark's.",
        "Câu truy vấn đang trống; hãy gõ một câu hoặc chọn câu có sẵn.",
    ),
    "error.long_query": (
        "The query has {count} characters; at most {most} are taken.",
        "Câu truy vấn có {count} ký tự; chỉ nhận tối đa {most} ký tự.",
    ),
    "error.rankers": (
        "{count} rankers were chosen; choose 1 to {most}.",
        "Đang chọn {count} bộ xếp hạng; hãy chọn từ 1 đến {most}.",
    ),
    "error.candidates": (
        "{count} candidates were given; give 2 to {most}, one a line.",
        "Có {count} ứng viên; hãy nhập từ 2 đến {most} ứng viên, mỗi dòng một câu.",
    ),
    "error.candidate_length": (
        "Candidate {number} has {count} characters; give 1 to {most}.",
        "Ứng viên {number} có {count} ký tự; mỗi ứng viên cần từ 1 đến {most} ký tự.",
    ),
    "error.sign_in": (
        "Only signed-in people can label; sign in with Hugging Face first.",
        "Chỉ người đã đăng nhập mới gán nhãn được; hãy đăng nhập bằng Hugging Face trước.",
    ),
    "error.read_only": (
        "This app is open to others and cannot tell who they are, so it is read-only; start it on 127.0.0.1 to label.",
        "Ứng dụng đang mở cho nhiều người mà không biết ai là ai nên chỉ cho đọc; hãy chạy trên 127.0.0.1 để gán nhãn.",
    ),
    "error.account": (
        "Your account is not known here any more; ask for a new one and sign in again.",
        "Tài khoản của bạn không còn hiệu lực; hãy xin tài khoản mới rồi đăng nhập lại.",
    ),
    "error.decision": (
        "A decision needs a label and a cause; choose both.",
        "Cần chọn cả kết luận lẫn nguyên nhân thì mới quyết định được.",
    ),
    "error.cause": (
        "That is not one of the causes; choose one of those shown.",
        "Nguyên nhân này không có trong danh sách; hãy chọn một nguyên nhân đang hiện.",
    ),
    "error.nothing_to_settle": (
        "Nobody has labelled this candidate, so there is nothing to settle.",
        "Chưa ai gán nhãn ứng viên này nên không có gì để phân xử.",
    ),
    "error.adjudicator": (
        "Only adjudicators may see what others answered, settle it and export it; ask an admin for that role.",
        "Chỉ người phân xử mới được xem câu trả lời của người khác, quyết định và xuất nhãn; hãy xin quản trị viên cấp "
        "vai trò đó.",
    ),
    "error.operator": (
        "Only admins (on a Space, those named in VCS_ADMINS) can run this here; run your own copy of the app.",
        "Ở đây chỉ quản trị viên (trên Space là những người có tên trong VCS_ADMINS) mới được chạy; hãy chạy bản riêng "
        "của bạn.",
    ),
    "error.nothing_chosen": (
        "Nothing was chosen; choose at least one task and one ranker.",
        "Chưa chọn gì; hãy chọn ít nhất một tác vụ và một bộ xếp hạng.",
    ),
    "error.model_name": (
        "{name} cannot be a model's name; use letters, digits, '-' and '_', at most 60.",
        "{name} không dùng làm tên mô hình được; hãy dùng chữ, số, '-' và '_', tối đa 60 ký tự.",
    ),
    "error.model_taken": (
        "There is a model {name} already; give another name.",
        "Đã có mô hình {name}; hãy chọn tên khác.",
    ),
    "error.token_reused": (
        "You have answered this candidate already, on another page; this answer was not counted. Here is another one.",
        "Bạn đã trả lời ứng viên này trên một trang khác; câu trả lời này chưa được tính. Mời bạn làm ứng viên khác.",
    ),
    "error.lease_unknown": (
        "This page's candidate is no longer held for you; the answer was not counted. Here is another one.",
        "Ứng viên trên trang này không còn được giữ cho bạn; câu trả lời chưa được tính. Mời bạn làm ứng viên khác.",
    ),
    "error.lease_foreign": (
        "This candidate was given to somebody else; the answer was not counted. Here is one of your own.",
        "Ứng viên này đã được giao cho người khác; câu trả lời chưa được tính. Mời bạn làm ứng viên của mình.",
    ),
    "error.lease_misplaced": (
        "The answer was to another candidate than the one held for you; it was not counted. Here is the right one.",
        "Câu trả lời dành cho một ứng viên khác với ứng viên được giao cho bạn nên chưa được tính. "
        "Mời bạn làm ứng viên đúng.",
    ),
    "error.candidate_taken": (
        "Somebody else has taken this candidate meanwhile; your answer was NOT counted. Here is another one.",
        "Trong lúc đó người khác đã nhận ứng viên này; câu trả lời của bạn KHÔNG được tính. "
        "Mời bạn làm ứng viên khác.",
    ),
    "error.undo_taken": (
        "Somebody else has taken this candidate since you skipped it; the skip was not taken back.",
        "Từ lúc bạn bỏ qua, người khác đã nhận ứng viên này; không thể hoàn tác việc bỏ qua.",
    ),
    "error.number": ("{value} is not a number; type one.", "{value} không phải là số; hãy nhập một số."),
    # search
    "search.tab": ("Search", "Tìm kiếm"),
    "search.task": ("Task", "Tác vụ"),
    "search.split": ("Split", "Phần dữ liệu"),
    "search.pick": ("A query of the benchmark", "Câu hỏi có sẵn trong benchmark"),
    "search.pick_info": (
        "Its relevant passages are marked in the results.",
        "Các đoạn văn liên quan sẽ được đánh dấu trong kết quả.",
    ),
    "search.query": ("Query", "Câu truy vấn"),
    "search.query_hint": (
        "Type in Vietnamese, or choose a query above",
        "Gõ tiếng Việt, hoặc chọn câu hỏi ở trên",
    ),
    "search.rankers": (
        "Rankers, side by side (a+b is the fusion of two)",
        "Bộ xếp hạng, đặt cạnh nhau (a+b là kết hợp hai bộ)",
    ),
    "search.k": ("Passages shown", "Số đoạn hiển thị"),
    "search.go": ("Search", "Tìm"),
    "search.random": ("Random query", "Câu ngẫu nhiên"),
    "results.working": ("Working… the first use loads the model.", "Đang chạy… lần đầu cần nạp mô hình."),
    "results.encoding": ("{done} of {total} passages encoded", "đã mã hóa {done} trên {total} đoạn"),
    "results.latency": ("{ms} ms", "{ms} ms"),
    "results.first": ("first relevant at rank {rank}", "đoạn liên quan đầu tiên ở hạng {rank}"),
    "results.change": ("rank {rank} by {other}", "hạng {rank} theo {other}"),
    "results.gold": ("relevant", "liên quan"),
    "results.no_gold": (
        "This query is not of the benchmark, so nothing is marked as relevant.",
        "Câu này không thuộc benchmark nên không có đoạn nào được đánh dấu là liên quan.",
    ),
    "results.failed": ("{ranker}: {error}", "{ranker}: {error}"),
    # rerank
    "rerank.tab": ("Rerank", "Xếp hạng lại"),
    "rerank.pick": ("A group of the benchmark", "Nhóm có sẵn trong benchmark"),
    "rerank.query": ("Query or premise", "Câu truy vấn hoặc tiền đề"),
    "rerank.candidates": ("Candidates, one a line", "Các ứng viên, mỗi dòng một câu"),
    "rerank.candidates_info": (
        "Begin a line with “+ ” to mark it as relevant; then every ranker gets its average precision (AP).",
        "Bắt đầu dòng bằng “+ ” để đánh dấu là liên quan; khi đó mỗi bộ xếp hạng có độ chính xác trung bình (AP).",
    ),
    "rerank.go": ("Rerank", "Xếp hạng"),
    "rerank.random": ("Random group", "Nhóm ngẫu nhiên"),
    # leaderboard
    "board.tab": ("Leaderboard", "Bảng xếp hạng"),
    "board.task": ("Task", "Tác vụ"),
    "board.paper": (
        "Show the authors' own metrics beside ours",
        "Hiện thêm số đo theo cách tính của tác giả",
    ),
    "board.explain": (
        "Means over queries with 95 % bootstrap intervals; ties are settled against the ranker. "
        "Rankers that share a group letter cannot be told apart on these queries (by the first figure; paired "
        "t-tests with Holm's correction). "
        "Rows that say “reported” are quoted from the paper ({source}), on the full "
        "benchmark, by way of a source that leaves the name off the 20 M row (it is told by elimination); "
        "not measured here.",
        "Trung bình trên các câu truy vấn, kèm khoảng tin cậy bootstrap 95 %; khi đồng điểm thì tính bất lợi cho bộ "
        "xếp hạng. Các bộ xếp hạng có chung một chữ cái nhóm thì chưa phân biệt được trên các câu truy vấn này (theo "
        "số đo đầu tiên; kiểm định t theo cặp, hiệu chỉnh Holm). Các dòng “theo bài báo” "
        "trích từ bài báo ({source}), trên toàn bộ benchmark, qua một nguồn bỏ trống tên ở dòng 20 M "
        "(suy ra bằng loại trừ); không đo tại đây.",
    ),
    "board.empty": (
        "No run yet for this task. Choose rankers below and compute.",
        "Chưa có lượt đo nào cho tác vụ này. Hãy chọn bộ xếp hạng bên dưới rồi tính.",
    ),
    "board.warming": (
        "The first figures are being computed; this page fills by itself.",
        "Đang tính những số đo đầu tiên; trang sẽ tự cập nhật.",
    ),
    "board.compute": ("Compute", "Tính"),
    "board.compute_title": ("Compute runs", "Tính số đo"),
    "board.cancel": ("Cancel", "Hủy"),
    "board.tasks": ("Tasks", "Các tác vụ"),
    "board.rankers": ("Rankers", "Bộ xếp hạng"),
    "board.done": ("{count} runs are ready.", "Đã xong {count} lượt đo."),
    "board.working": ("{task}, {ranker}: {done} of {total}", "{task}, {ranker}: {done} trên {total}"),
    "board.cancelled": ("Cancelled; finished runs are kept.", "Đã hủy; các lượt đo xong vẫn được giữ."),
    "board.measured": ("measured here", "đo tại đây"),
    "board.unlisted": (
        "measured here; not among the rankers now",
        "đo tại đây; hiện không có trong danh sách",
    ),
    "board.reported": ("reported", "theo bài báo"),
    "board.ranker": ("ranker", "bộ xếp hạng"),
    "board.kind": ("figures", "nguồn số đo"),
    "board.group": ("group", "nhóm"),
    "board.queries": ("queries", "số câu"),
    "board.skipped": ("left out (trained on)", "bỏ ra (đã huấn luyện)"),
    "board.unknown": (
        "{count}; training data unknown",
        "{count}; không rõ dữ liệu huấn luyện",
    ),
    "board.speed": ("ms per query", "ms mỗi câu"),
    "board.source": ("source", "nguồn"),
    # label
    "label.tab": ("Label", "Gán nhãn"),
    "label.guide_title": ("How to judge", "Cách đánh giá"),
    "label.keys": (
        "Keys: **1**, **2**, **3**, **4** decide; **U** takes your last answer back; **S** skips for now; **N** "
        "writes a note; **F** sets the flag.",
        "Phím: **1**, **2**, **3**, **4** để quyết định; **U** lấy lại câu trả lời vừa rồi; **S** bỏ qua lúc này; "
        "**N** ghi chú; **F** gắn cờ.",
    ),
    "label.confidence": ("How sure are you? (optional)", "Bạn chắc đến đâu? (không bắt buộc)"),
    "label.flag": ("F · Flag for the adjudicator", "F · Gắn cờ cho người phân xử"),
    "label.hasty": (
        "The last eight answers took under two seconds each. Take a moment; U takes one back.",
        "Tám câu trả lời vừa rồi mỗi câu chưa tới hai giây. Hãy chậm lại một chút; phím U để lấy lại.",
    ),
    "label.why_title": ("Why was the last one mined?", "Vì sao ứng viên vừa rồi được chọn?"),
    "label.why": (
        "“{query}”: {miner} ranked this candidate {rank}, with the score {score}; the known answer has {positive}.",
        "“{query}”: {miner} xếp ứng viên này ở hạng {rank}, điểm {score}; đoạn đã biết là đúng có điểm {positive}.",
    ),
    "label.query": ("Query", "Câu hỏi"),
    "label.positive": ("Known to answer it", "Đoạn đã biết là trả lời đúng"),
    "label.candidate": ("Candidate: does it answer too?", "Ứng viên: có trả lời được không?"),
    "label.hard": ("1 · Hard negative", "1 · Âm khó"),
    "label.false_negative": ("2 · False negative", "2 · Âm sai (có trả lời)"),
    "label.trivial": ("3 · Trivial", "3 · Hiển nhiên"),
    "label.unsure": ("4 · Can't judge", "4 · Không rõ"),
    "label.undo": ("U · Undo", "U · Rút lại"),
    "label.skip": ("S · Skip", "S · Bỏ qua"),
    "label.note": ("N · Note on this candidate (optional)", "N · Ghi chú cho ứng viên này (không bắt buộc)"),
    "label.sample": ("Only the audit's sample of 100", "Chỉ mẫu kiểm tra 100 ứng viên"),
    "label.saved": ("Saved: {label}", "Đã lưu: {label}"),
    "label.undone": ("Taken back; judge it again.", "Đã rút lại; mời đánh giá lại."),
    "label.nothing_to_undo": ("You have nothing to take back.", "Không có gì để rút lại."),
    "label.skipped": ("Skipped for now; it comes again at the end.", "Đã bỏ qua; sẽ gặp lại ở cuối."),
    "label.done": ("Nothing is left to label. Thank you!", "Đã hết ứng viên để gán nhãn. Cảm ơn bạn!"),
    "label.preparing": ("The first candidates are being mined…", "Đang khai thác những ứng viên đầu tiên…"),
    "label.empty": (
        "There is nothing to label yet. Mine candidates below.",
        "Chưa có gì để gán nhãn. Hãy khai thác ứng viên bên dưới.",
    ),
    "label.progress": (
        "You: {mine} of {total} · everyone: {labelled} of {total} candidates labelled",
        "Bạn: {mine} trên {total} · tất cả: {labelled} trên {total} ứng viên đã có nhãn",
    ),
    "label.mine_title": ("Mine more candidates", "Khai thác thêm ứng viên"),
    "label.mine_ranker": ("Ranker that mines", "Bộ xếp hạng dùng để khai thác"),
    "label.mine_limit": ("How many", "Số lượng"),
    "label.mine_margin": (
        "Margin: only passages scored at least this share below the positive",
        "Biên độ: chỉ lấy đoạn có điểm thấp hơn đoạn đúng ít nhất tỉ lệ này",
    ),
    "label.mine": ("Mine from the train split", "Khai thác từ phần train"),
    "label.mining": (
        "Mining with {ranker}: {done} of {total}",
        "Đang khai thác bằng {ranker}: {done} trên {total}",
    ),
    "label.mined": (
        "{added} new candidates, {known} were there already.\n{report}",
        "{added} ứng viên mới, {known} đã có sẵn.\n{report}",
    ),
    "label.mined_from": (
        "{count} candidates from {taken} of {queries} queries looked at.",
        "{count} ứng viên từ {taken} trên {queries} câu hỏi đã xét.",
    ),
    "label.mined_dropped": (
        "Queries dropped: {count}, because {reason}.",
        "Câu hỏi bị bỏ: {count}, vì {reason}.",
    ),
    "label.mined_rejected": (
        "Passages passed over: {count}, {reason}.",
        "Đoạn văn bỏ qua: {count}, {reason}.",
    ),
    "label.mined_unretrieved": (
        "Queries whose positive is not within the depth (kept): {count}.",
        "Câu hỏi có đoạn đúng nằm ngoài độ sâu đã xét (vẫn giữ): {count}.",
    ),
    "mining.positive_not_found": (
        "the ranker scores their positive at zero or below, where a margin has no meaning",
        "đoạn đúng bị chấm từ 0 điểm trở xuống nên biên độ không có nghĩa",
    ),
    "mining.no_candidate": (
        "nothing within the depth is far enough below the positive",
        "trong độ sâu đã xét không có đoạn nào đủ thấp hơn đoạn đúng",
    ),
    "mining.too_close": (
        "too close to the positive's score, perhaps false negatives",
        "điểm quá gần đoạn đúng, có thể là âm sai",
    ),
    "mining.own_context": ("windows of the query's own context", "thuộc chính ngữ cảnh của câu hỏi"),
    "mining.same_text": (
        "the same text as a relevant or an earlier passage",
        "trùng văn bản với đoạn liên quan hoặc đoạn đã lấy",
    ),
    "mining.already_there": ("candidates already", "đã là ứng viên"),
    "mining.nothing_shared": ("scored zero or below", "được chấm từ 0 điểm trở xuống"),
    "label.export_title": ("Take the labels with you", "Tải nhãn về"),
    "label.export_format": ("Format", "Định dạng"),
    "label.export": ("Export", "Xuất"),
    "label.exported": ("{count} labelled candidates.", "{count} ứng viên đã có nhãn."),
    # compare
    "compare.title": ("Compare query by query", "So sánh từng câu truy vấn"),
    "compare.rankers": ("Rankers with a run on this source", "Bộ xếp hạng đã đo trên nguồn này"),
    "compare.measure": ("Measure", "Số đo"),
    "compare.go": ("Compare", "So sánh"),
    "compare.choose": (
        "{count} rankers with a run were chosen; choose 2 to {most}.",
        "Đang chọn {count} bộ xếp hạng đã đo; hãy chọn từ 2 đến {most}.",
    ),
    "compare.ahead": (
        "{first} is better than {second}: {difference} of {measure}, 95 % interval {low} to {high}, p = {p}, on "
        "{queries} queries.",
        "{first} tốt hơn {second}: {measure} chênh {difference}, khoảng tin cậy 95 % từ {low} đến {high}, p = {p}, "
        "trên {queries} câu truy vấn.",
    ),
    "compare.tied": (
        "{first} and {second} cannot be told apart on {queries} queries: {difference} of {measure}, 95 % interval "
        "{low} to {high}, p = {p}.",
        "Chưa phân biệt được {first} và {second} trên {queries} câu truy vấn: {measure} chênh {difference}, khoảng tin "
        "cậy 95 % từ {low} đến {high}, p = {p}.",
    ),
    "compare.unjudged": ("unjudged in the top 10", "chưa được đánh giá trong 10 đoạn đầu"),
    "compare.pair": ("pair", "cặp"),
    "compare.difference": ("difference (95 %)", "chênh lệch (95 %)"),
    "compare.p": ("p (Holm)", "p (Holm)"),
    "compare.wins": ("better / equal / worse", "hơn / bằng / kém"),
    "compare.subset": ("by subset", "theo phần"),
    "compare.query": ("query", "câu truy vấn"),
    "compare.axis": ("difference of {measure}", "chênh lệch {measure}"),
    "compare.explain": (
        "First minus second, with 95 % paired bootstrap intervals over queries; p of paired t-tests, corrected by Holm "
        "for the number of pairs. Jaccard@10 and RBO say how far two rankings overlap (1: the same).",
        "Lấy cái đầu trừ cái sau, kèm khoảng tin cậy bootstrap theo cặp 95 % trên các câu truy vấn; p của kiểm định t "
        "theo cặp, hiệu chỉnh Holm theo số cặp. Jaccard@10 và RBO cho biết hai thứ hạng trùng nhau đến đâu "
        "(1: giống hệt).",
    ),
    "compare.queries": (
        "The queries on which the best two differ most; copy one into Search to see why.",
        "Những câu mà hai bộ xếp hạng đứng đầu khác nhau nhiều nhất; chép một câu sang thẻ Tìm kiếm để xem vì sao.",
    ),
    "compare.no_queries": (
        "The best two do not differ on any query.",
        "Hai bộ xếp hạng đứng đầu không khác nhau ở câu nào.",
    ),
    # adjudicate
    "adjudicate.tab": ("Adjudicate", "Phân xử"),
    "adjudicate.explain": (
        "Candidates on which annotators disagree, or that somebody flagged. You see what was said, not who said it. "
        "Your decision becomes the candidate's label; a new label after it opens the question again.",
        "Những ứng viên mà người gán nhãn không thống nhất hoặc có người gắn cờ. Bạn thấy các ý kiến, không thấy ai "
        "nói. Quyết định của bạn trở thành nhãn của ứng viên; nếu sau đó có nhãn mới, câu hỏi được mở lại.",
    ),
    "adjudicate.none": (
        "Nothing waits for a decision.",
        "Không còn trường hợp nào cần phân xử.",
    ),
    "adjudicate.who": ("annotator", "người gán nhãn"),
    "adjudicate.label": ("label", "nhãn"),
    "adjudicate.confidence": ("confidence", "mức chắc chắn"),
    "adjudicate.seconds": ("seconds", "giây"),
    "adjudicate.flagged": ("flag", "cờ"),
    "adjudicate.note": ("note", "ghi chú"),
    "adjudicate.guideline": ("guideline", "bản hướng dẫn"),
    "adjudicate.decision": ("What it is", "Kết luận"),
    "adjudicate.cause": ("Why they disagreed", "Vì sao không thống nhất"),
    "adjudicate.own_note": ("Note (optional)", "Ghi chú (không bắt buộc)"),
    "adjudicate.go": ("Decide", "Quyết định"),
    "adjudicate.later": ("Later", "Để sau"),
    "adjudicate.saved": ("Decided: {label}", "Đã quyết định: {label}"),
    "adjudicate.progress": (
        "{waiting} waiting · causes so far: {causes}",
        "Còn {waiting} trường hợp · nguyên nhân: {causes}",
    ),
    "agree.title": ("How far annotators agree", "Mức thống nhất giữa những người gán nhãn"),
    "agree.raw": ("raw agreement", "tỉ lệ trùng nhau"),
    "agree.all": ("all", "tất cả"),
    "agree.pair": ("pair", "cặp"),
    "agree.shared": ("shared candidates", "số ứng viên chung"),
    "agree.no_labels": ("no labels yet", "chưa có nhãn"),
    "agree.one_annotator": ("only one annotator", "chỉ có một người"),
    "agree.nothing_shared": ("no candidate with two labels", "chưa ứng viên nào có hai nhãn"),
    "agree.one_label": ("only one label was used", "chỉ dùng một loại nhãn"),
    "agree.never_given": ("nobody gave it", "chưa ai gán"),
    "agree.explain": (
        "1: always; 0: no more than by chance (raw agreement: 0 to 1). Brackets are 95 % bootstrap intervals over "
        "queries. Each label is held against the rest.",
        "1: luôn trùng; 0: không hơn ngẫu nhiên (riêng tỉ lệ trùng nhau: từ 0 đến 1). Trong ngoặc là khoảng tin cậy "
        "bootstrap 95 % theo câu truy vấn. Mỗi nhãn được so với các nhãn còn lại.",
    ),
    "cause.ambiguous_text": ("ambiguous text", "văn bản mơ hồ"),
    "cause.guideline_gap": ("gap in the guideline", "hướng dẫn còn thiếu"),
    "cause.annotator_error": ("an annotator's error", "người gán nhãn nhầm"),
    "cause.edge_case": ("edge case", "trường hợp ranh giới"),
    "confidence.1": ("a guess", "đoán"),
    "confidence.2": ("fairly sure", "khá chắc"),
    "confidence.3": ("sure", "chắc chắn"),
    # audit
    "audit.tab": ("Audit", "Kiểm tra"),
    "audit.explain": (
        "What share of the mined negatives is genuinely hard, mislabelled or trivial? A random sample (seed {seed}) "
        "answers it; label it in the Label tab with “only the audit's sample”.",
        "Bao nhiêu phần mẫu âm khai thác được là thật sự khó, bị gán sai, hay hiển nhiên? Một mẫu ngẫu nhiên (seed "
        "{seed}) sẽ trả lời; hãy gán nhãn mẫu này trong thẻ Gán nhãn, chọn “chỉ mẫu kiểm tra”.",
    ),
    "audit.size": ("Size of the sample", "Cỡ mẫu"),
    "audit.strata": ("Divide the pool by", "Chia tập ứng viên theo"),
    "audit.strata_none": ("nothing", "không chia"),
    "audit.strata_miner": ("miner", "bộ khai thác"),
    "audit.strata_rank": ("rank", "hạng"),
    "audit.strata_both": ("miner and rank", "bộ khai thác và hạng"),
    "audit.allocation": ("From each stratum", "Từ mỗi tầng"),
    "audit.proportional": ("in proportion", "theo tỉ lệ"),
    "audit.equal": ("equally many", "số lượng bằng nhau"),
    "audit.refresh": ("Refresh", "Cập nhật"),
    "audit.beyond": (
        "{count} of these that have no label yet are not in the sample that the Label tab offers; to reach them, turn "
        "off “only the audit's sample” there.",
        "{count} ứng viên trong mẫu này chưa có nhãn và không thuộc mẫu mà thẻ Gán nhãn đưa ra; để gặp chúng, hãy bỏ "
        "chọn “chỉ mẫu kiểm tra” ở đó.",
    ),
    "audit.report": ("Report as HTML and Markdown", "Báo cáo dạng HTML và Markdown"),
    "audit.files": ("The report", "Báo cáo"),
    # train
    "train.tab": ("Train", "Huấn luyện"),
    "train.explain": (
        "Fine-tunes a model on the labels: **hard** ones become explicit negatives, **false negatives** become "
        "additional positives, trivial and unsure ones are left out. The model is evaluated before and after on test "
        "queries it never saw, and then appears in Search and Leaderboard.",
        "Tinh chỉnh mô hình theo nhãn: **âm khó** thành mẫu âm tường minh, **âm sai** thành mẫu dương bổ sung, nhãn "
        "hiển nhiên và không rõ được bỏ ra. Mô hình được đo trước và sau trên các câu hỏi test chưa từng thấy, rồi "
        "xuất hiện trong thẻ Tìm kiếm và Bảng xếp hạng.",
    ),
    "train.state": (
        "Labels now: {hard} hard, {false_negative} false negative, {trivial} trivial, {unsure} unsure.",
        "Nhãn hiện có: {hard} âm khó, {false_negative} âm sai, {trivial} hiển nhiên, {unsure} không rõ.",
    ),
    "train.coverage": (
        "{labelled} of {candidates} candidates have a label ({share}).",
        "{labelled} trên {candidates} ứng viên đã có nhãn ({share}).",
    ),
    "train.alpha": (
        "Agreement between annotators: Krippendorff's α is {alpha} on the {items} candidates that two or more people "
        "judged (1: they always agree, 0: no more than by chance).",
        "Mức đồng thuận giữa những người gán nhãn: α của Krippendorff là {alpha} trên {items} ứng viên được từ hai "
        "người trở lên đánh giá (1: luôn đồng ý, 0: không hơn ngẫu nhiên).",
    ),
    "train.no_alpha": (
        "Agreement between annotators cannot be measured: {reason}",
        "Chưa đo được mức đồng thuận giữa những người gán nhãn: {reason}",
    ),
    "alpha.no_labels": ("there are no labels.", "chưa có nhãn nào."),
    "alpha.one_annotator": ("there is only one annotator.", "mới chỉ có một người gán nhãn."),
    "alpha.nothing_shared": (
        "no candidate was judged by two people.",
        "chưa có ứng viên nào được hai người cùng đánh giá.",
    ),
    "alpha.one_label": (
        "the candidates that two people judged have one label only.",
        "các ứng viên được hai người đánh giá chỉ có một loại nhãn.",
    ),
    "train.low_coverage": (
        "Only {coverage} of the candidates have a label, and {floor} should. Label more, or tick “Train anyway”.",
        "Mới có {coverage} ứng viên có nhãn, trong khi cần ít nhất {floor}. Hãy gán thêm nhãn, hoặc chọn “Vẫn huấn "
        "luyện”.",
    ),
    "train.low_alpha": (
        "The annotators agree too little: α is {alpha} and should be {floor} or more. Settle what they disagree on, "
        "or tick “Train anyway”.",
        "Những người gán nhãn chưa đủ đồng thuận: α là {alpha}, cần từ {floor} trở lên. Hãy thống nhất những chỗ còn "
        "khác nhau, hoặc chọn “Vẫn huấn luyện”.",
    ),
    "train.anyway": (
        "Train anyway, even on few labels or with annotators who disagree",
        "Vẫn huấn luyện, dù còn ít nhãn hoặc những người gán nhãn chưa đồng thuận",
    ),
    "train.base": ("Start from", "Bắt đầu từ"),
    "train.name": ("Name of the new model", "Tên mô hình mới"),
    "train.loss": ("Loss", "Hàm mất mát"),
    "train.negatives": ("Negatives", "Mẫu âm"),
    "train.temperature": ("Temperature τ", "Nhiệt độ τ"),
    "train.epochs": ("Epochs", "Số epoch"),
    "train.pairs": (
        "Also train on the source's other (query, passage) pairs of the train split",
        "Huấn luyện thêm bằng các cặp (câu hỏi, đoạn văn) khác của phần train",
    ),
    "train.restart": ("Forget an unfinished run of this name", "Bỏ lượt chạy dở của tên này"),
    "train.go": ("Retrain", "Huấn luyện lại"),
    "train.stop": ("Stop", "Dừng"),
    "train.command": ("The same as a command", "Lệnh tương đương"),
    "train.working": (
        "Step {step} of {total}, loss {loss}, about {eta} left",
        "Bước {step} trên {total}, mất mát {loss}, còn khoảng {eta}",
    ),
    "train.starting": ("Under way: {stage}", "Đang chạy: {stage}"),
    "train.stopped": (
        "Stopped. Start it again with the same settings and it goes on from its last checkpoint.",
        "Đã dừng. Chạy lại với cùng thiết lập để tiếp tục từ điểm lưu gần nhất.",
    ),
    "train.failed": ("Training failed: {error}", "Huấn luyện thất bại: {error}"),
    "train.done": (
        "“{name}” is ready, in Search and Leaderboard too.",
        "“{name}” đã sẵn sàng, có cả trong Tìm kiếm và Bảng xếp hạng.",
    ),
    "train.better": (
        "{measure} went from {before} to {after} ({difference}, 95 % interval {low} to {high}): better.",
        "{measure} đi từ {before} lên {after} ({difference}, khoảng tin cậy 95 % từ {low} đến {high}): tốt hơn.",
    ),
    "train.worse": (
        "{measure} went from {before} to {after} ({difference}, 95 % interval {low} to {high}): worse.",
        "{measure} đi từ {before} xuống {after} ({difference}, khoảng tin cậy 95 % từ {low} đến {high}): kém hơn.",
    ),
    "train.same": (
        "{measure} went from {before} to {after} ({difference}, 95 % interval {low} to {high}): "
        "no difference that these queries can show.",
        "{measure} đi từ {before} đến {after} ({difference}, khoảng tin cậy 95 % từ {low} đến {high}): "
        "các câu hỏi này không cho thấy khác biệt.",
    ),
    "stage.evaluating the base model": ("evaluating the base model", "đang đo mô hình gốc"),
    "stage.training": ("training", "đang huấn luyện"),
    "stage.evaluating the new model": ("evaluating the new model", "đang đo mô hình mới"),
    "train.busy": (
        "A training is running already; wait for it or stop it.",
        "Đang có một lượt huấn luyện khác; hãy chờ hoặc dừng nó.",
    ),
    "experiments.title": ("The paper's experiments", "Các thí nghiệm của bài báo"),
    "experiments.which": ("Experiment and setting", "Thí nghiệm và thiết lập"),
    "experiments.none": (
        "No experiment was run on this machine yet. `python training/experiments.py baseline` runs the first; the "
        "README names a small setting.",
        "Máy này chưa chạy thí nghiệm nào. Lệnh `python training/experiments.py baseline` chạy thí nghiệm đầu tiên; "
        "README có nêu một thiết lập nhỏ.",
    ),
    "experiments.choose": ("Choose an experiment.", "Hãy chọn một thí nghiệm."),
    "experiments.arm": ("arm", "phương án"),
    "experiments.seeds": ("seeds", "số hạt giống"),
    "experiments.seconds": ("seconds a run", "giây mỗi lượt"),
    "experiments.untrained": ("untrained", "chưa huấn luyện"),
    "experiments.run": ("{arm}, seed {seed}", "{arm}, hạt giống {seed}"),
    "experiments.step": ("step {step}", "bước {step}"),
    "experiments.diverged": ("diverged at step {step}", "phân kỳ ở bước {step}"),
    "experiments.signs": ("Warning signs, as the paper names them:", "Dấu hiệu cảnh báo mà bài báo nêu:"),
    "experiments.no_signs": (
        "No warning sign of the paper showed.",
        "Không có dấu hiệu cảnh báo nào của bài báo.",
    ),
    "experiments.explain": (
        "Means over queries (each the mean over seeds) with 95 % bootstrap intervals; ± is the standard deviation "
        "between seeds; Δ is the difference from the first trained arm, paired by query, with its own interval.",
        "Trung bình trên các câu truy vấn (mỗi câu lấy trung bình theo hạt giống), kèm khoảng tin cậy bootstrap 95 %; "
        "± là độ lệch chuẩn giữa các hạt giống; Δ là chênh lệch so với phương án được huấn luyện đầu tiên, ghép cặp "
        "theo câu, kèm khoảng riêng.",
    ),
    "gain.label": ("label", "nhãn"),
    "gain.margin": ("margin s⁺ − s (should grow)", "khoảng cách s⁺ − s (nên tăng)"),
    "gain.similarity": ("similarity s (should grow)", "độ tương đồng s (nên tăng)"),
    "gain.with_label": ("loss term (should fall)", "giá trị mất mát (nên giảm)"),
    "train.gains": (
        "What training did to the labels it was trained on, and to the others of their queries. This is no held-out "
        "evidence: it shows that training took effect, not that the model got better. s⁺, s: cosine similarity of the "
        "query with the positive and with the candidate.",
        "Tác động của việc huấn luyện lên chính các nhãn đã dùng và các nhãn khác của cùng câu hỏi. Đây không phải "
        "bằng chứng trên dữ liệu chưa thấy: nó cho biết việc huấn luyện có tác dụng, không cho biết mô hình tốt hơn. "
        "s⁺, s: độ tương đồng cosine của câu hỏi với đoạn đúng và với ứng viên.",
    ),
    "train.measure": ("measure", "số đo"),
    "train.before": ("before", "trước"),
    "train.after": ("after", "sau"),
    "train.difference": ("difference (95 %)", "chênh lệch (95 %)"),
}


def explain(error: UserError, lang: str) -> str:
    """Return an error's sentence in a language where there are words for it, else as it is."""
    return say(lang, error.key, **error.values) if error.key in WORDS else str(error)


def say(lang: str, key: str, **values: object) -> str:
    """Return the words for a key in a language (`vi`, else English), with values filled in."""
    english, vietnamese = WORDS[key]
    return (vietnamese if lang == "vi" else english).format(**values)


def number(value: object) -> float:
    """Return what a number field holds as a finite number; raises UserError for an empty one or a text."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise UserError(say("en", "error.number", value=quoted(value)), "error.number", value=quoted(value))
    return found


Component = TypeVar("Component")


class Localised:
    """The components of a page and the words on them, so that one event can change the language of all."""

    def __init__(self) -> None:
        self.components: list[Any] = []
        self._words: list[dict[str, str | Callable[[str], Any]]] = []

    def make(self, kind: Callable[..., Component], words: dict[str, Any], **settings: Any) -> Component:
        """Make a component whose `words` (property → key, or a function of the language) follow the language."""
        component = kind(**_filled(words, "en"), **settings)
        self.components.append(component)
        self._words.append(words)
        return component

    def updates(self, lang: str) -> list[dict]:
        """Return an update for every component, in the order of `components`."""
        return [gr.update(**_filled(words, lang)) for words in self._words]


def _filled(words: dict[str, Any], lang: str) -> dict[str, Any]:
    return {name: word(lang) if callable(word) else say(lang, word) for name, word in words.items()}


def preferred(request: gr.Request | None) -> str:
    """Return the language of a visitor: `?lang=` of the address, else the browser's first choice."""
    if request is None:
        return "en"
    asked = str(request.query_params.get("lang", "")).lower()
    if asked in ("en", "vi"):
        return asked
    return "vi" if request.headers.get("accept-language", "").strip().lower().startswith("vi") else "en"
