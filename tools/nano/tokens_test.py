"""The tokenizer: deterministic, DeepSeek's form, and lossless on the task."""

import itertools
import json
import os
import unittest

import task
import tokens


class TokensTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.coder = tokens.Tokenizer()

    def test_the_committed_files_are_what_the_builder_writes(self):
        for name, built in zip(('tokenizer.json', 'tokenizer_config.json'), tokens.build()):
            with open(os.path.join(tokens.MODEL_DIR, name), encoding='utf-8') as f:
                self.assertEqual(json.load(f), built)

    def test_ids(self):
        added = self.coder.added
        self.assertEqual([added[t] for t in (tokens.BOS, tokens.EOS, tokens.PAD)], [0, 1, 2])
        self.assertEqual(sorted(added.values())[3:], list(range(tokens.FIRST_ADDED, 512)))
        self.assertEqual(len(self.coder._pieces), tokens.VOCAB_SIZE)

    def test_every_digit_is_one_token(self):
        ids = self.coder.encode('0123456789')
        self.assertEqual(len(set(ids)), 10)
        self.assertEqual(self.coder.encode('98 7')[::3], [ids[9], ids[7]])

    def test_text_never_becomes_a_special_token(self):
        first = min(self.coder.added['<think>'], tokens.FIRST_ADDED)
        for content in self.coder.added:
            ids = self.coder._merge(''.join(tokens._ALPHABET[b] for b in content.encode()))
            self.assertTrue(all(3 <= i < first for i in ids))

    def test_chat_format(self):
        problem = next(task.held_out_stream(1))
        text = self.coder.decode(
            self.coder.prompt(problem.question) + self.coder.completion(problem)
        )
        self.assertEqual(
            text,
            f'<｜begin▁of▁sentence｜><｜User｜>{problem.question}<｜Assistant｜><think>\n'
            f'{problem.reasoning}\n</think>\n\n{problem.answer}<｜end▁of▁sentence｜>',
        )

    def test_round_trip(self):
        for problem in itertools.islice(task.training_stream(2), 500):
            for text in (problem.question, problem.reasoning, problem.answer):
                self.assertEqual(self.coder.decode(self.coder.encode(text)), text)

    def test_earlier_turns_come_without_reasoning(self):
        text = self.coder.decode(self.coder.prompt('2+2', [('1+1', '2')], 'Be brief.'))
        self.assertEqual(
            text,
            '<｜begin▁of▁sentence｜>Be brief.<｜User｜>1+1<｜Assistant｜>2'
            '<｜end▁of▁sentence｜><｜User｜>2+2<｜Assistant｜><think>\n',
        )


if __name__ == '__main__':
    unittest.main()
