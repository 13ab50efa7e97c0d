// What stands behind the opaque types of causeway.h, and how their functions end.
//
// Invariants:
//  1. No exception passes a cw_ function.
//  2. In a forked child every call but close sets CW_ERROR_FORKED, and close only frees memory.
#pragma once

#include <causeway/causeway.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "client/completion_queue.hpp"
#include "client/last_error.hpp"
#include "client/listener.hpp"
#include "client/partition.hpp"
#include "client/queue_pair.hpp"
#include "client/region.hpp"
#include "client/segment.hpp"

struct cw_partition {
    std::shared_ptr<causeway::client::Partition> shared;
};
struct cw_completion_queue {
    std::shared_ptr<causeway::client::CompletionQueue> shared;
};
struct cw_region final : causeway::client::Region {
    explicit cw_region(causeway::client::Region&& region) noexcept : Region(std::move(region)) {}
};
struct cw_segment final : causeway::client::Segment {
    explicit cw_segment(causeway::client::Segment&& segment) noexcept
        : Segment(std::move(segment)) {}
};
struct cw_queue_pair final : causeway::client::QueuePair {
    using QueuePair::QueuePair;
};
struct cw_listener final : causeway::client::Listener {
    explicit cw_listener(causeway::client::Listener&& listener) noexcept
        : Listener(std::move(listener)) {}
};

namespace causeway::client::capi {

[[nodiscard]] inline int code(ErrorCode error) noexcept { return static_cast<int>(error); }

[[nodiscard]] inline int forked() noexcept {
    return code(set_error(ErrorCode::forked,
                          "this process is a fork of the one that made the object: close it, and "
                          "attach anew to use the fabric from here"));
}
[[nodiscard]] inline int missing(const char* text) noexcept {
    return code(set_error(ErrorCode::invalid_argument, text));
}
[[nodiscard]] inline int no_memory() noexcept {
    return code(set_error(ErrorCode::no_memory,
                          "this process has no memory left for the library's own objects"));
}

// An options structure of `known` bytes, as its caller knows it: at least what this library knows,
// and nothing asked for in what it does not know.
[[nodiscard]] inline Result<void> check_options(const char* name, const void* options,
                                                std::size_t size, std::size_t known) {
    if (size < known) {
        return fail_format(ErrorCode::invalid_argument,
                           "%s.size is %zu, the structure has %zu bytes: set it to sizeof(%s)",
                           name, size, known, name);
    }
    const auto* bytes = static_cast<const unsigned char*>(options);
    if (std::any_of(bytes + known, bytes + size, [](unsigned char b) { return b != 0; })) {
        return fail_format(ErrorCode::unsupported,
                           "%s has fields set that this library (of %zu bytes) does not know: "
                           "update libcauseway",
                           name, known);
    }
    return {};
}

// By the name that an application gives it; NULL and "" are any.
[[nodiscard]] Result<abi::Executor> executor_named(const char* name);
// One of cw_wait. `what`: where it stands.
[[nodiscard]] Result<void> check_wait(const char* what, cw_wait how);

// The caller's options as this library has them: fields that an older caller's structure (of
// `least` bytes at least) does not have are zero.
template<typename Options>
[[nodiscard]] Result<Options> whole_options(const char* name, const Options& options,
                                            std::size_t least) {
    const std::size_t size = options.size;
    CW_TRY(check_options(name, &options, size, std::clamp(size, least, sizeof options)));
    Options whole{};
    std::memcpy(&whole, &options, std::min(size, sizeof whole));
    return whole;
}

// Runs f, which returns a cw_error or a Result<void>, and lets nothing out.
template<typename F>
[[nodiscard]] int guarded(F&& f) noexcept {
    try {
        if constexpr (std::is_same_v<std::invoke_result_t<F>, int>) {
            return std::forward<F>(f)();
        } else {
            auto result = std::forward<F>(f)();
            return result.has_value() ? CW_OK : code(set_error(result.error()));
        }
    } catch (const std::bad_alloc&) {
        return no_memory();
    } catch (...) {
        return code(set_error(ErrorCode::system, "an unexpected exception inside the library"));
    }
}

// Runs f, which returns a Result of something that T is made from, and hands it out.
template<typename T, typename F>
[[nodiscard]] int make(T** out, F&& f) noexcept {
    return guarded([&]() -> int {
        auto made = std::forward<F>(f)();
        if (!made.has_value())
            return code(set_error(made.error()));
        *out = new T{std::move(*made)};
        return CW_OK;
    });
}

}  // namespace causeway::client::capi
