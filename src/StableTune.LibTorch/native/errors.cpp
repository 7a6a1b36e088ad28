// What went wrong last, per thread.
#include "shim.h"

namespace st {
namespace {
thread_local std::string last_message;
thread_local int64_t last_ticket = 0;
}  // namespace

void remember(const std::string& message) noexcept {
  try {
    last_message = message;
  } catch (...) {
    last_message.clear();
  }
}

void remember_ticket(int64_t ticket) noexcept { last_ticket = ticket; }

}  // namespace st

ST_EXPORT const char* st_last_error() { return st::last_message.c_str(); }

/// The ticket of the managed exception behind the last status 2.
ST_EXPORT int64_t st_last_ticket() { return st::last_ticket; }
