"""Packs training problems into rows of fixed length, never splitting one."""

import random

import numpy as np

import task
import tokens

ROW = 384
_POOL = 192
_SYSTEM = (
    "You are a helpful assistant.",
    "You are a careful calculator.",
    "Answer the question.",
    "You are nano. Think step by step.",
)


class Batches:
    """An endless, seeded stream of packed batches."""

    def __init__(self, seed, rows, tokenizer=None):
        self._tokenizer = tokenizer or tokens.Tokenizer()
        self._problems = task.training_stream(seed)
        self._rows = rows
        self._pool = []
        self._rng = random.Random(f"context {seed}")

    def _context(self):
        """Now and then an earlier turn or a system prompt before the question."""
        history, system = [], ""
        if self._rng.random() < 0.06:
            earlier = next(self._problems)
            gap = self._rng.choice(("\n\n", ""))
            history.append((earlier.question, gap + earlier.answer))
        if self._rng.random() < 0.04:
            system = self._rng.choice(_SYSTEM)
        return history, system

    def _document(self):
        """(ids, length of the prompt) of the next problem that fits a row."""
        while True:
            problem = next(self._problems)
            prompt = self._tokenizer.prompt(problem.question, *self._context())
            ids = prompt + self._tokenizer.completion(problem)
            if len(ids) <= ROW:
                return ids, len(prompt)

    def _row(self):
        """Documents for one row: the oldest, then always the longest that fits."""
        while len(self._pool) < _POOL:
            self._pool.append(self._document())
        chosen, room = [self._pool.pop(0)], ROW
        room -= len(chosen[0][0])
        while True:
            fits = [i for i, (ids, _) in enumerate(self._pool) if len(ids) <= room]
            if not fits:
                return chosen
            best = max(fits, key=lambda i: len(self._pool[i][0]))
            chosen.append(self._pool.pop(best))
            room -= len(chosen[-1][0])

    def next(self):
        """(ids, positions, document, answer mask), each [rows, ROW].

        The mask is 1 where the token is one the model must write; document
        numbers start at 1 in each row, 0 is padding.
        """
        shape = (self._rows, ROW)
        ids, positions, document = (np.zeros(shape, np.int64) for _ in range(3))
        ids += 2  # padding
        mask = np.zeros(shape, np.float32)
        for r in range(self._rows):
            at = 0
            for number, (doc, prompt) in enumerate(self._row(), 1):
                end = at + len(doc)
                ids[r, at:end] = doc
                positions[r, at:end] = np.arange(len(doc))
                document[r, at:end] = number
                mask[r, at + prompt : end] = 1
                at = end
        return ids, positions, document, mask
