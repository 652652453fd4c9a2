#include "tests/parity/edit_checkpoint.h"

#include <fstream>

#include "absl/strings/match.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/weights/checkpoint.h"

namespace shoal {

int EditTensors(const std::string& folder, absl::string_view suffix,
                const std::function<void(StoredMatrix&)>& edit) {
  const auto checkpoint = Checkpoint::Open(folder);
  CHECK_OK(checkpoint);
  int edited = 0;
  for (const auto& [name, entry] : checkpoint->entries()) {
    if (!absl::EndsWith(name, suffix)) continue;
    const std::vector<int64_t>& shape = entry.tensor.shape;
    StoredMatrix m{name, entry.tensor.dtype, shape.size() == 2 ? shape[0] : 1, shape.back(),
                   std::vector<std::byte>(entry.tensor.bytes)};
    const InputFile& file = checkpoint->file(entry.shard);
    CHECK_OK(file.Read(entry.tensor.offset, absl::MakeSpan(m.data)));
    edit(m);
    CHECK_EQ(m.data.size(), entry.tensor.bytes) << name << " has another size now";
    std::fstream out(file.path(), std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(entry.tensor.offset));
    out.write(reinterpret_cast<const char*>(m.data.data()),
              static_cast<std::streamsize>(m.data.size()));
    CHECK(out.good()) << name << " cannot be written";
    ++edited;
  }
  return edited;
}

}  // namespace shoal
