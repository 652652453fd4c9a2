"""Tests of the C++ scanner on the shapes that code in this tree has."""

import textwrap
import unittest

import cpp


def names(text):
    return [f.name for f in cpp.functions(textwrap.dedent(text))]


class CodeOnlyTest(unittest.TestCase):

    def test_blanks_comments_and_literals_and_keeps_the_lines(self):
        text = 'a; // { x\nb("{ \\" }"); /* {\n} */ c(\'{\');\n'
        code = cpp.code_only(text)
        self.assertEqual(code.count('\n'), text.count('\n'))
        self.assertNotIn('{', code)
        self.assertNotIn('}', code)
        for kept in ('a;', 'b("', 'c('):
            self.assertIn(kept, code)

    def test_digit_separators_are_no_characters(self):
        self.assertIn("int y;", cpp.code_only("int x = 1'000'000; int y; int z = 2'000;"))

    def test_raw_strings_end_where_they_say(self):
        self.assertEqual(cpp.code_only('f(R"x(a)" } )x"); g();').count('}'), 0)
        self.assertIn('g();', cpp.code_only('f(R"x(a)" } )x"); g();'))


class FunctionsTest(unittest.TestCase):

    def test_finds_functions_in_namespaces_and_classes(self):
        self.assertEqual(names('''
            namespace a::b {
            namespace {
            int f(int x) { if (x) { return 1; } return 2; }
            }  // namespace
            class C final : public B<int(int)> {
             public:
              explicit C(int a) : a_(a), b_{2} { Start(); }
              C() : a_{1} {}
              ~C() override { Stop(); }
              int get() const { return a_; }
              bool operator==(const C& o) const { return true; }
              int operator()(int i) { return i; }
              static constexpr int kTable[] = {1, 2};
             private:
              int a_ = {0};
              std::vector<int> v_{1, 2};
              int b_ ABSL_GUARDED_BY(mu_) = 3;
            };
            }  // namespace a::b
            '''), ['f', 'C', 'C', '~C', 'get', 'operator==', 'operator()'])

    def test_attributes_annotations_and_trailing_returns(self):
        self.assertEqual(names('''
            __attribute__((target("sse4.2"))) uint32_t Hash(uint32_t a, int b) { return a; }
            void Wait(Mutex* mu) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { x(); }
            template <> constexpr int Of<float>() { return 1; }
            auto Later(int a) -> std::vector<int> { return {a}; }
            template <typename T> requires std::integral<T> T Twice(T x) { return 2 * x; }
            __global__ void __launch_bounds__(128) Add(float* p, int n) { p[n] += 1; }
            '''), ['Hash', 'Wait', 'Of', 'Later', 'Twice', 'Add'])

    def test_tables_and_types_are_no_functions(self):
        self.assertEqual(names('''
            enum class E : int { kA, kB };
            struct S { int a = 1; };
            constexpr Rule kRules[] = {{"a", Make(1)}, {"b", {2}}};
            const std::map<int, int> m = Make({{1, 2}, {3, 4}});
            extern "C" { int declared(int); }
            #define MACRO(x) void x() { y(); }
            '''), [])

    def test_a_lambda_belongs_to_its_function(self):
        functions = cpp.functions('void f() {\n  run([&](int x) {\n    g(x);\n  });\n}\n')
        self.assertEqual([(f.name, f.lines) for f in functions], [('f', 5)])

    def test_lines_run_from_the_signature_to_the_brace(self):
        functions = cpp.functions('// What.\n\nint f(int a,\n      int b) {\n  return a;\n}\n')
        self.assertEqual([(f.first_line, f.last_line) for f in functions], [(3, 6)])

    def test_counts_parameters_outside_templates_and_calls(self):
        functions = cpp.functions(
            'void a() {}\nvoid b(void) {}\nint c(std::map<int, int> m, int (*f)(int, int)) {}\n'
            'X::X(int a, int b, int c) : a_(a), b_(b, c) {}\n')
        self.assertEqual([f.parameters for f in functions], [0, 0, 2, 3])


if __name__ == '__main__':
    unittest.main()
