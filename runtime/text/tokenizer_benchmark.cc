// Bytes per second of encoding, by kind of text, and the time to load, for the
// real V3 tokenizer.
//
//   bazel run -c opt //runtime/text:tokenizer_benchmark

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "nlohmann/json.hpp"

#include "runtime/base/check.h"
#include "runtime/text/golden_tokens.h"
#include "runtime/text/tokenizer.h"

namespace shoal {
namespace {

// The golden corpus' texts of one kind, repeated to about 1 MB.
std::map<std::string, std::string> TextsByKind() {
  std::map<std::string, std::string> texts;
  std::istringstream lines(TestData("token_goldens.jsonl"));
  std::string line;
  while (std::getline(lines, line)) {
    const auto golden = nlohmann::json::parse(line);
    absl::StrAppend(&texts[golden["kind"]], golden["text"].get<std::string>(), " ");
  }
  for (auto& [kind, text] : texts) {
    const std::string once = text;
    while (text.size() < 1'000'000) text += once;
  }
  return texts;
}

void Encode(benchmark::State& state, const std::string& text) {
  const Tokenizer& tokenizer = DeepSeekV3Tokenizer();
  for (auto _ : state) {
    auto ids = tokenizer.Encode(text);
    CHECK(ids.ok());
    benchmark::DoNotOptimize(ids->data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(text.size()) * state.iterations());
}

void Load(benchmark::State& state) {
  const std::string json = TestData("deepseek_v3/tokenizer.json");
  for (auto _ : state) {
    auto tokenizer = Tokenizer::Parse(json);
    CHECK(tokenizer.ok());
    benchmark::DoNotOptimize(tokenizer->get());
  }
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const auto& [kind, text] : shoal::TextsByKind()) {
    benchmark::RegisterBenchmark(
        absl::StrCat("Encode/", kind).c_str(),
        [text = text](benchmark::State& state) { shoal::Encode(state, text); });
  }
  benchmark::RegisterBenchmark("Load", shoal::Load)->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
}
