// Our side of `compare`: encodes and decodes a corpus as often as it is told
// to, and says how much processor time that took.
//
//   timed_tokenizer TOKENIZER_JSON
//
// prints the seconds to load the file, then obeys one command per line:
//   read FILE   documents, with a NUL between
//   encode      prints the seconds to encode every document, and the steps
//               that merging took
//   decode N    prints the seconds to stream every document's ids back to
//               text, N at a time, and the number of ids
//   ids FILE    writes the ids as int32, -1 behind each document

#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/base/token_id.h"
#include "runtime/text/detokenizer.h"
#include "runtime/text/tokenizer.h"

namespace shoal {
namespace {

double ProcessorSeconds() {
  timespec time;
  CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

class TimedTokenizer {
 public:
  explicit TimedTokenizer(const std::string& path) {
    const double start = ProcessorSeconds();
    auto tokenizer = Tokenizer::Load(path);
    if (!tokenizer.ok()) std::cerr << tokenizer.status() << "\n";
    CHECK(tokenizer.ok());
    tokenizer_ = *std::move(tokenizer);
    std::cout << ProcessorSeconds() - start << std::endl;
  }

  void Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream all;
    all << file.rdbuf();
    CHECK(file.good());
    documents_ = absl::StrSplit(all.str(), '\0');
    std::cout << documents_.size() << std::endl;
  }

  void Encode() {
    ids_.clear();
    ids_.reserve(documents_.size());
    size_t steps = 0;
    const double start = ProcessorSeconds();
    for (const std::string& document : documents_) {
      size_t merge_steps;
      auto ids = tokenizer_->Encode(document, &merge_steps);
      CHECK(ids.ok());
      steps += merge_steps;
      ids_.push_back(*std::move(ids));
    }
    std::cout << ProcessorSeconds() - start << " " << steps << std::endl;
  }

  // `step` ids come together; one alone as a router pushes it.
  void Decode(size_t step) {
    size_t count = 0;
    size_t bytes = 0;
    std::string text;
    const double start = ProcessorSeconds();
    for (const std::vector<TokenId>& ids : ids_) {
      Detokenizer detokenizer(*tokenizer_);
      for (absl::Span<const TokenId> rest = ids; !rest.empty();) {
        const absl::Span<const TokenId> now = rest.subspan(0, step);
        if (step == 1) {
          text = detokenizer.Push(now[0]);
        } else {
          text.clear();
          detokenizer.Push(now, &text);
        }
        bytes += text.size();
        rest.remove_prefix(now.size());
      }
      bytes += detokenizer.Flush().size();
      count += ids.size();
    }
    const double seconds = ProcessorSeconds() - start;
    size_t expected = 0;
    for (const std::string& document : documents_) expected += document.size();
    CHECK(bytes == expected);
    std::cout << seconds << " " << count << std::endl;
  }

  void WriteIds(const std::string& path) {
    std::ofstream file(path, std::ios::binary);
    constexpr TokenId kEnd = -1;
    for (const std::vector<TokenId>& ids : ids_) {
      file.write(reinterpret_cast<const char*>(ids.data()),
                 static_cast<std::streamsize>(ids.size() * sizeof(TokenId)));
      file.write(reinterpret_cast<const char*>(&kEnd), sizeof(kEnd));
    }
    file.close();
    CHECK(file.good());
    std::cout << ids_.size() << std::endl;
  }

 private:
  std::unique_ptr<const Tokenizer> tokenizer_;
  std::vector<std::string> documents_;
  std::vector<std::vector<TokenId>> ids_;  // of each document
};

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  CHECK(argc == 2);
  shoal::TimedTokenizer tokenizer(argv[1]);
  std::string command;
  while (std::cin >> command) {
    std::string path;
    if (command == "read" || command == "ids") std::getline(std::cin >> std::ws, path);
    if (command == "read") tokenizer.Read(path);
    if (command == "encode") tokenizer.Encode();
    if (command == "decode") {
      size_t step = 0;
      CHECK(std::cin >> step && step > 0);
      tokenizer.Decode(step);
    }
    if (command == "ids") tokenizer.WriteIds(path);
  }
}
