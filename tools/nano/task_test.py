"""The task's promises: bounds, hold-out, phrasing, and the same problems again."""

import itertools
import unittest

import grade
import task


def take(stream, count):
    return list(itertools.islice(stream, count))


class TaskTest(unittest.TestCase):

    def test_held_out_and_training_never_meet(self):
        for problem in take(task.training_stream('a'), 600):
            if problem.kind != 'talk':
                self.assertFalse(task.is_held_out(problem.kind, problem.operands))
        for problem in take(task.held_out_stream('a'), 1000):
            self.assertTrue(task.is_held_out(problem.kind, problem.operands))

    def test_about_one_problem_in_sixteen_is_held_out(self):
        held = sum(task.is_held_out('add', (a, b)) for a in range(100) for b in range(100))
        self.assertTrue(550 < held < 700, held)

    def test_same_seed_same_problems(self):
        for stream in (task.training_stream, task.held_out_stream):
            self.assertEqual(take(stream(7), 200), take(stream(7), 200))
            self.assertNotEqual(take(stream(7), 200), take(stream(8), 200))

    def test_kinds_take_turns(self):
        kinds = [p.kind for p in take(task.held_out_stream(1), 10)]
        self.assertEqual(kinds, list(task.KINDS) * 2)

    def test_bounds(self):
        limits = {'add': (999999, 999999), 'sub': (999999, 999999), 'div': (999999, 12)}
        for kind, (most_a, most_b) in limits.items():
            for problem in take(task.held_out_stream(2, kind), 400):
                a, b = problem.operands
                self.assertTrue(0 <= a <= most_a and int(kind == 'div') <= b <= most_b)
        for problem in take(task.held_out_stream(2, 'mul'), 1000):
            low, high = sorted(problem.operands)
            self.assertTrue(low <= 999 and high <= 9999)

    def test_the_whole_range_is_drawn(self):
        problems = take(task.held_out_stream(3, 'sub'), 1500)
        self.assertTrue(any(p.answer.startswith('-') for p in problems))
        self.assertTrue(any(p.answer == '0' for p in problems))
        lengths = {(len(str(a)), len(str(b))) for a, b in (p.operands for p in problems)}
        self.assertEqual(len(lengths), 36)

    def test_the_forms_in_the_readme_are_asked(self):
        self.assertIn('What is N + N?', self._forms('add'))
        self.assertIn('What is N * N?', self._forms('mul'))

    def _forms(self, kind):
        forms = set()
        for problem in take(task.held_out_stream(5, kind), 500):
            a, b = map(str, problem.operands)
            if a not in b and b not in a:
                forms.add(problem.question.replace(a, 'N').replace(b, 'N'))
        return forms

    def test_numbers_of_the_question_are_the_operands(self):
        for problem in take(task.held_out_stream(6), 500):
            for operand in problem.operands:
                self.assertIn(str(operand).lstrip('+-*'), problem.question)


class GradeTest(unittest.TestCase):

    def test_exact_after_the_reasoning(self):
        self.assertTrue(grade.is_exact('1+1: so 2\n</think>\n\n2', '2'))
        self.assertFalse(grade.is_exact('1+1: so 2\n</think>\n\n3', '2'))
        self.assertFalse(grade.is_exact('</think>\n\n12', '2'))

    def test_reply_without_an_end_of_reasoning_has_no_answer(self):
        self.assertIsNone(grade.final_answer('2'))
        self.assertFalse(grade.is_exact('2', '2'))


if __name__ == '__main__':
    unittest.main()
