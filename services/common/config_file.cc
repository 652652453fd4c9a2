#include "services/common/config_file.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"

namespace shoal {
namespace {

// Keeps the first error, with its place in the file.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(absl::string_view origin) : origin_(origin) {}
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (text_.empty()) {
      text_ = absl::StrCat(origin_, ":", line + 1, ":", column + 1, ": ", message);
    }
  }
  const std::string& text() const { return text_; }

 private:
  const absl::string_view origin_;
  std::string text_;
};

}  // namespace

absl::Status ParseConfig(absl::string_view text, absl::string_view origin,
                         google::protobuf::Message* config) {
  FirstError error(origin);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  if (!parser.Parse(&input, config)) return absl::InvalidArgumentError(error.text());
  return absl::OkStatus();
}

absl::Status ReadConfigFile(const std::string& path, google::protobuf::Message* config) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  std::ostringstream text;
  text << file.rdbuf();
  return ParseConfig(text.str(), path, config);
}

}  // namespace shoal
