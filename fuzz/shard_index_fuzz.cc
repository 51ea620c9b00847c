// Any bytes as an index of shards: whatever is accepted counts its records and keeps them within the shards.
#include "convoy/base/error.h"
#include "convoy/data/shard_index.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const convoy::data::ShardIndex index(convoy::fuzz::as_file(data, size));
    CONVOY_CHECK(index.summary().count() <= static_cast<std::int64_t>(size) / 24, index.summary().count());
    for (std::int64_t i = 0; i < index.summary().count(); ++i) {
      const convoy::data::ShardRecord record = index.record(i);
      const auto& shard = index.summary().shards.at(static_cast<std::size_t>(record.shard));
      CONVOY_CHECK(record.offset_bytes + record.size_bytes <= shard.size_bytes, record.offset_bytes);
    }
  } catch (const convoy::base::InputError&) {
  }
  return 0;
}
