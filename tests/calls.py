"""Call a handler of a served page as the page does: join the queue, read the answer from the event stream."""

import json
import uuid


def joined(client, event, data, session=None):
    """Join the queue; return the answer to that and the session."""
    session = session or uuid.uuid4().hex[:11]
    body = {"data": data, "fn_index": event, "session_hash": session}
    return client.post("gradio_api/queue/join", json=body), session


def outcome(client, session):
    """Return the last message of a session's call: a dict with `success` and `output`."""
    with client.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            message = json.loads(line[5:]) if line.startswith("data:") else {}
            if message.get("msg") == "process_completed":
                return message
    raise AssertionError("the stream ended before the answer")


def called(client, event, data):
    """Return what a call gives; raise AssertionError if it failed."""
    answer, session = joined(client, event, data)
    assert answer.status_code == 200, answer.text
    message = outcome(client, session)
    assert message["success"], message
    return message["output"]["data"]
