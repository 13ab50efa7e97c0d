// A reply on its way: bytes, and a descriptor that is closed once it was sent.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "control/message.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

struct Reply {
    std::vector<std::byte> bytes;
    platform::UniqueFd descriptor;

    template<control::Message T>
    [[nodiscard]] static Reply of(const T& message, platform::UniqueFd descriptor = {}) {
        const auto view = control::bytes_of(message);
        return {std::vector<std::byte>(view.begin(), view.end()), std::move(descriptor)};
    }
    // A bare Header.
    [[nodiscard]] static Reply empty(const abi::Header& request,
                                     platform::UniqueFd descriptor = {}) {
        const abi::Header header = control::reply_header(request, sizeof(abi::Header));
        const auto view = control::bytes_of(header);
        return {std::vector<std::byte>(view.begin(), view.end()), std::move(descriptor)};
    }
};

// What a request comes to: a reply now, an error, or nothing yet (then a LateReply was taken).
using Answer = Result<std::optional<Reply>>;
// Answers a request some time after its handler has returned. On the control thread; harmless where
// the session has ended meanwhile.
using LateReply = std::function<void(Result<Reply>)>;

}  // namespace causeway::adapter
