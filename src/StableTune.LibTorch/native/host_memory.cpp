// What becomes of the processor's memory when a tensor is freed.
#include "shim.h"

#include <climits>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

/// Lets malloc keep what tensors free instead of handing it back to the system. Returns 1 when this C library can do that.
ST_EXPORT int32_t st_keep_freed_memory() {
#if defined(__GLIBC__)
  // Blocks above this size are mapped one by one and unmapped at once. Before glibc 2.35 the bound could not pass 32 MiB.
  const bool kept = mallopt(M_MMAP_THRESHOLD, 1 << 30) != 0 || mallopt(M_MMAP_THRESHOLD, 32 << 20) != 0;
  return kept && mallopt(M_TRIM_THRESHOLD, INT_MAX) != 0 ? 1 : 0;
#else
  return 0;
#endif
}

/// Hands back to the system what malloc keeps and nobody uses. Returns 1 when there was something.
ST_EXPORT int32_t st_release_freed_memory() {
#if defined(__GLIBC__)
  return malloc_trim(0);
#else
  return 0;
#endif
}
