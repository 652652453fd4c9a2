"""Reads the final answer out of a reply and compares it exactly."""


def final_answer(reply):
    """What follows </think>, without surrounding white space; None if absent."""
    _, mark, answer = reply.partition("</think>")
    return answer.strip() if mark else None


def is_exact(reply, answer):
    """True when the reply's final answer is the expected text, exactly."""
    return final_answer(reply) == answer
