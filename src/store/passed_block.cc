#include "store/passed_block.h"

#include <algorithm>

#include "store/varint.h"

namespace brevet {
namespace {

// The first byte names the layout; another layout takes another byte.
constexpr char kMark = '\x01';
/// "dec_" and eight digits of five bits: what is left of the time is half a second.
constexpr std::size_t kBucketBytes = 12;

}  // namespace

std::string_view passed_bucket(std::string_view id) {
  return id.substr(0, kBucketBytes);
}

void PassedBlock::add(const PassedRow& row) {
  if (size_++ == 0) {
    bytes_ += kMark;
    varint::put(bytes_, passed_bucket(row.id));
    first_id_ = row.id;
    newest_ = row.time;
  }
  newest_ = std::max(newest_, row.time);
  varint::put(bytes_, std::string_view(row.id).substr(passed_bucket(row.id).size()));
  varint::put_signed(bytes_, (row.time - last_time_).count());
  last_time_ = row.time;
  varint::put(bytes_, std::string_view(row.record));
}

void PassedBlock::clear() {
  bytes_.clear();
  size_ = 0;
  last_time_ = {};
}

bool read_passed_block(std::string_view bytes, const std::function<bool(PassedRow row)>& visit) {
  varint::Reader in(bytes);
  if (in.character() != kMark) return false;
  const auto bucket = in.view();
  Instant time{};
  while (in.good() && !in.at_end()) {
    PassedRow row;
    row.id = bucket;
    row.id += in.view();
    row.time = time += Microseconds(in.whole());
    row.record = in.view();
    if (!in.good()) return false;
    if (!visit(std::move(row))) return true;
  }
  return in.good();
}

}  // namespace brevet
