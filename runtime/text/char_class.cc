#include "runtime/text/char_class.h"

#include <unicode/uchar.h>

#include <map>

namespace shoal {
namespace {

constexpr uint32_t kCodePoints = 0x110000;

struct Range {
  uint32_t first;
  uint32_t last;
  CharClass char_class;
};

// General categories that Unicode 15.1 and 16.0 gave to code points which are
// unassigned in 15.0 (Unicode Character Database, DerivedGeneralCategory).
constexpr Range kAssignedAfterUnicode15[] = {
    {0x897, 0x897, kMark},       {0x1B4E, 0x1B4F, kPunct},    {0x1B7F, 0x1B7F, kPunct},
    {0x1C89, 0x1C8A, kLetter},   {0x2427, 0x2429, kSymbol},   {0x2FFC, 0x2FFF, kSymbol},
    {0x31E4, 0x31E5, kSymbol},   {0x31EF, 0x31EF, kSymbol},   {0xA7CB, 0xA7CD, kLetter},
    {0xA7DA, 0xA7DC, kLetter},   {0x105C0, 0x105F3, kLetter}, {0x10D40, 0x10D49, kNumber},
    {0x10D4A, 0x10D65, kLetter}, {0x10D69, 0x10D6D, kMark},   {0x10D6E, 0x10D6E, kPunct},
    {0x10D6F, 0x10D85, kLetter}, {0x10D8E, 0x10D8F, kSymbol}, {0x10EC2, 0x10EC4, kLetter},
    {0x10EFC, 0x10EFC, kMark},   {0x11380, 0x11389, kLetter}, {0x1138B, 0x1138B, kLetter},
    {0x1138E, 0x1138E, kLetter}, {0x11390, 0x113B5, kLetter}, {0x113B7, 0x113B7, kLetter},
    {0x113B8, 0x113C0, kMark},   {0x113C2, 0x113C2, kMark},   {0x113C5, 0x113C5, kMark},
    {0x113C7, 0x113CA, kMark},   {0x113CC, 0x113D0, kMark},   {0x113D1, 0x113D1, kLetter},
    {0x113D2, 0x113D2, kMark},   {0x113D3, 0x113D3, kLetter}, {0x113D4, 0x113D5, kPunct},
    {0x113D7, 0x113D8, kPunct},  {0x113E1, 0x113E2, kMark},   {0x116D0, 0x116E3, kNumber},
    {0x11BC0, 0x11BE0, kLetter}, {0x11BE1, 0x11BE1, kPunct},  {0x11BF0, 0x11BF9, kNumber},
    {0x11F5A, 0x11F5A, kMark},   {0x13460, 0x143FA, kLetter}, {0x16100, 0x1611D, kLetter},
    {0x1611E, 0x1612F, kMark},   {0x16130, 0x16139, kNumber}, {0x16D40, 0x16D6C, kLetter},
    {0x16D6D, 0x16D6F, kPunct},  {0x16D70, 0x16D79, kNumber}, {0x18CFF, 0x18CFF, kLetter},
    {0x1CC00, 0x1CCEF, kSymbol}, {0x1CCF0, 0x1CCF9, kNumber}, {0x1CD00, 0x1CEB3, kSymbol},
    {0x1E5D0, 0x1E5ED, kLetter}, {0x1E5EE, 0x1E5EF, kMark},   {0x1E5F0, 0x1E5F0, kLetter},
    {0x1E5F1, 0x1E5FA, kNumber}, {0x1E5FF, 0x1E5FF, kPunct},  {0x1F8B2, 0x1F8BB, kSymbol},
    {0x1F8C0, 0x1F8C1, kSymbol}, {0x1FA89, 0x1FA89, kSymbol}, {0x1FA8F, 0x1FA8F, kSymbol},
    {0x1FABE, 0x1FABE, kSymbol}, {0x1FAC6, 0x1FAC6, kSymbol}, {0x1FADC, 0x1FADC, kSymbol},
    {0x1FADF, 0x1FADF, kSymbol}, {0x1FAE9, 0x1FAE9, kSymbol}, {0x1FBCB, 0x1FBEF, kSymbol},
    {0x2EBF0, 0x2EE5D, kLetter},
};

uint8_t CategoryBit(UChar32 code_point) {
  const uint32_t mask = U_GET_GC_MASK(code_point);
  if (mask & U_GC_L_MASK) return kLetter;
  if (mask & U_GC_M_MASK) return kMark;
  if (mask & U_GC_N_MASK) return kNumber;
  if (mask & U_GC_P_MASK) return kPunct;
  if (mask & U_GC_S_MASK) return kSymbol;
  return 0;
}

bool IsKanaHan(uint32_t c) { return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF); }

std::vector<uint8_t> ClassOfEveryCodePoint() {
  std::vector<uint8_t> classes(kCodePoints);
  for (uint32_t c = 0; c < kCodePoints; ++c) {
    classes[c] = CategoryBit(static_cast<UChar32>(c));
    if (u_isUWhiteSpace(static_cast<UChar32>(c))) classes[c] |= kSpace;
    if (IsKanaHan(c)) classes[c] |= kKanaHan;
  }
  classes['\r'] |= kNewline;
  classes['\n'] |= kNewline;
  for (const Range& range : kAssignedAfterUnicode15) {
    for (uint32_t c = range.first; c <= range.last; ++c) {
      // A newer ICU knows better.
      if (u_charType(static_cast<UChar32>(c)) == U_UNASSIGNED) {
        classes[c] |= range.char_class;
      }
    }
  }
  return classes;
}

}  // namespace

CharClasses::CharClasses() {
  const std::vector<uint8_t> classes = ClassOfEveryCodePoint();
  std::map<Page, uint16_t> known;
  for (uint32_t first = 0; first < kCodePoints; first += 256) {
    Page page;
    for (uint32_t i = 0; i < 256; ++i) page[i] = classes[first + i];
    const auto [it, is_new] = known.emplace(page, static_cast<uint16_t>(pages_.size()));
    if (is_new) pages_.push_back(page);
    page_of_.push_back(it->second);
  }
  for (uint32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = classes[c];
}

}  // namespace shoal
