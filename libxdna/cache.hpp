// CPU caches against memory that the NPU's DMAs read and write without snooping.
#pragma once

#include <cstdint>

namespace xdna {

/// Writes back and drops the cache lines of [begin, begin + size), and orders that against the
/// loads and stores around it: both directions of a sync are this same operation.
void flush_cache(const void* begin, uint64_t size);

}  // namespace xdna
