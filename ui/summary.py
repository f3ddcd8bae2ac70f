"""What was found, in a sentence."""

from __future__ import annotations

from ui.answers import Answer
from ui.conditions import describe_filter
from ui.question import Question
from ui.texts import Texts


def summary(
    question: Question,
    answer: Answer,
    like: str,
    upload: str | None,
    texts: Texts,
    *,
    order: str = "",
) -> str:
    """What was found, in a sentence: the heading, and what a screen reader announces first."""
    shown = answer.relevant_gone + len(answer.relevant)
    if shown and answer.total is not None and answer.total > shown:
        head = texts.found_of.format(n=shown, all=answer.total)
    elif shown:
        head = texts.some(texts.found, shown)
    else:
        head = texts.none_close if answer.images else texts.none
    if upload is not None:
        pattern = texts.for_upload_both if question.text else texts.for_upload
        told = pattern.format(name=upload, text=question.text)
    elif question.ids:
        gone = len(question.ids) - len(answer.images)
        told = texts.some(texts.gone, gone) if gone else ""
        return texts.some(texts.chosen_images, len(answer.images)) + told
    elif question.like and question.text:
        told = texts.for_both.format(like=like, text=question.text)
    elif question.like:
        told = texts.for_like.format(like=like)
    elif question.text:
        told = texts.for_query.format(text=question.text)
    else:
        told = ""
    if question.negative and answer.ranked:
        told += texts.without.format(negative=question.negative)
    if question.filter:
        told += texts.only_with.format(filter=describe_filter(question.filter, texts))
    if order:
        told += f", {order}"
    if question.folds(upload is not None):
        told += f", {texts.folded}"
    return head + told


def announcement(summary: str, answer: Answer, texts: Texts) -> str:
    """What a screen reader is told: the summary, how many are folded away, what may be meant."""
    told = summary
    if answer.relevant and answer.weaker:
        told += texts.some(texts.weaker_folded, len(answer.weaker))
    if answer.suggestion:
        told += f". {texts.meant} {answer.suggestion}"
    return told
