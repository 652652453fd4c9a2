#include "runtime/text/chat_dialect.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "runtime/base/sha256.h"

namespace shoal {
namespace {

constexpr ChatDialect kDialects[] = {
    {
        .name = "deepseek-v3",
        .template_digest = "3b8267e54b67df6500f231ffa969955cc9d26b3444a291ced4eb96ca7d3ca1ea",
        .joins_system_messages = true,
        .drops_old_reasoning = false,
        .allows_content_beside_calls = false,
        .always_closes_calls = false,
        .has_newline_between_outputs = true,
        .opens_reasoning = false,
    },
    {
        .name = "deepseek-r1",
        .template_digest = "5b7a90c17faa4288745d78ec7097e9a571a3bb7cddc0ab0282d552bd63c7fb51",
        .joins_system_messages = true,
        .drops_old_reasoning = true,
        .allows_content_beside_calls = true,
        .always_closes_calls = true,
        .has_newline_between_outputs = false,
        .opens_reasoning = true,
    },
    {
        // R1's own template as first published, which the distills kept.
        .name = "deepseek-r1-distill",
        .template_digest = "795ba6276beff6e84e75213f77a7e7fff71b6c587618a6ed43c1f90c2ad2334a",
        .joins_system_messages = false,
        .drops_old_reasoning = true,
        .allows_content_beside_calls = false,
        .always_closes_calls = false,
        .has_newline_between_outputs = true,
        .opens_reasoning = true,
    },
};

std::string KnownNames() {
  return absl::StrJoin(kDialects, ", ", [](std::string* out, const ChatDialect& dialect) {
    absl::StrAppend(out, dialect.name);
  });
}

}  // namespace

std::string ChatTemplateDigest(absl::string_view jinja) {
  return HexOf(Sha256Of(absl::StrReplaceAll(jinja, {{R"(\n)", "\n"}})));
}

absl::StatusOr<ChatDialect> ChatDialectByName(absl::string_view name) {
  for (const ChatDialect& dialect : kDialects) {
    if (dialect.name == name) return dialect;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("chat template '", name, "' is none of ", KnownNames()));
}

absl::StatusOr<ChatDialect> RecogniseChatDialect(absl::string_view jinja) {
  const std::string digest = ChatTemplateDigest(jinja);
  for (const ChatDialect& dialect : kDialects) {
    if (dialect.template_digest == digest) return dialect;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("chat_template has the digest ", digest, ", which is none of ", KnownNames()));
}

}  // namespace shoal
