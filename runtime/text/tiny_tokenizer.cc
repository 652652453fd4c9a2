#include "runtime/text/tiny_tokenizer.h"

#include <string>

#include "runtime/text/chat_tokens.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

// A code point below U+0800.
std::string Utf8Of(int c) {
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
}

Json Vocab() {
  Json vocab = Json::object();
  int next = 0x100;
  for (int byte = 0; byte < 0x100; ++byte) {
    const bool prints = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    vocab[Utf8Of(prints ? byte : next++)] = byte;
  }
  vocab["hi"] = 256;
  return vocab;
}

Json Split(const char* pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

Json ByteLevel() {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", false}};
}

}  // namespace

Json TinyTokenizerJson() {
  Json added = Json::array();
  int id = 260;
  for (const char* content :
       {kUserToken, kThinkToken, kEndOfThinkToken, kCallsBeginToken, kCallsEndToken,
        kCallBeginToken, kCallEndToken, kCallSeparatorToken}) {
    added.push_back({{"id", id++},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", true},
                     {"special", false}});
  }
  const Json splits = Json::array({Split(R"(\p{N}{1,3})"), Split("[一-龥぀-ゟ゠-ヿ]+"),
                                   Split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
                                         "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                                         "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"),
                                   ByteLevel()});
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", splits}}},
          {"post_processor", nullptr},
          {"decoder", ByteLevel()},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"vocab", Vocab()},
            {"merges", Json::array({"h i"})}}}};
}

}  // namespace shoal
