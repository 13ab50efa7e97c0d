// Marks around the counted part of a message: callgrind collects between them, and allocations are
// counted between them. (A tracer's marks, which are system calls, stand around many messages, so
// that being traced disturbs nobody in between: main.cpp.)
//
// Threading: one thread.
#pragma once

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT ((void)0)
#endif

#include "budget/path/allocations.hpp"

namespace causeway::test {

class Marks {
public:
    enum class Use { counted, uncounted };  // uncounted: sets none
    explicit Marks(Use use) noexcept : on_(use == Use::counted) {}

    void begin() const noexcept {
        if (!on_)
            return;
        count_allocations(true);
        CALLGRIND_TOGGLE_COLLECT;
    }
    void end() const noexcept {
        if (!on_)
            return;
        CALLGRIND_TOGGLE_COLLECT;
        count_allocations(false);
    }

private:
    bool on_;
};

}  // namespace causeway::test
