#ifndef SHOAL_RUNTIME_CONSTRAINT_CODE_POINTS_H_
#define SHOAL_RUNTIME_CONSTRAINT_CODE_POINTS_H_

#include <cstdint>
#include <vector>

namespace shoal {

// A set of Unicode scalar values (no surrogates: UTF-8 cannot write them), as
// sorted, disjoint, non-adjacent ranges.
class CodePoints {
 public:
  struct Range {
    uint32_t first;
    uint32_t last;  // included
    friend bool operator==(const Range&, const Range&) = default;
  };

  CodePoints() = default;
  static CodePoints All();
  static CodePoints Of(uint32_t first, uint32_t last);

  void Add(const CodePoints& other);
  CodePoints Complement() const;
  CodePoints Minus(const CodePoints& other) const;
  CodePoints And(const CodePoints& other) const;

  bool Has(uint32_t code_point) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  std::vector<Range> ranges_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_CODE_POINTS_H_
