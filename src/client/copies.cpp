#include "client/copies.hpp"

#include <new>

#include "platform/clock.hpp"

namespace causeway::client {
namespace {

struct Kept {
    engine::LoadedCopies copies;
    std::string text;

    Kept() noexcept {
        try {
            copies = engine::find_copies();
            text = copies.plan.describe();
        } catch (const std::bad_alloc&) {
            copies = {};
            copies.plan = engine::default_copy_plan();
        }
        platform::calibrate_ticks();  // now, rather than within the first copy
    }
};

const Kept& kept() noexcept {
    // Never destroyed: a thread may still copy while the process exits.
    alignas(Kept) static unsigned char place[sizeof(Kept)];
    static const Kept* const made = new (place) Kept;
    return *made;
}

}  // namespace

const engine::LoadedCopies& copies() noexcept { return kept().copies; }
const char* copies_text() noexcept { return kept().text.c_str(); }

}  // namespace causeway::client
