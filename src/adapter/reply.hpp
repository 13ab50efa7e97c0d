// A reply on its way: bytes, and a descriptor that is closed once it was sent; or taken back, if
// the system takes no descriptors at that time.
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
    // Makes undone what the reply would have told of, given its descriptor back. On the control
    // thread, right after the reply was made.
    using TakeBack = std::function<void(platform::UniqueFd)>;

    std::vector<std::byte> bytes;
    platform::UniqueFd descriptor;
    TakeBack take_back;  // where there is a descriptor

    template<control::Message T>
    [[nodiscard]] static Reply of(const T& message, platform::UniqueFd descriptor = {},
                                  TakeBack take_back = nullptr) {
        const auto view = control::bytes_of(message);
        return {std::vector<std::byte>(view.begin(), view.end()), std::move(descriptor),
                std::move(take_back)};
    }
    // A bare Header.
    [[nodiscard]] static Reply empty(const abi::Header& request, platform::UniqueFd descriptor = {},
                                     TakeBack take_back = nullptr) {
        return of(HeaderOnly{control::reply_header(request, sizeof(abi::Header))},
                  std::move(descriptor), std::move(take_back));
    }

private:
    struct HeaderOnly {
        abi::Header header;
    };
};

// What a request comes to: a reply now, an error, or nothing yet (then a LateReply was taken).
using Answer = Result<std::optional<Reply>>;
// Answers a request some time after its handler has returned. On the control thread; harmless where
// the session has ended meanwhile.
using LateReply = std::function<void(Result<Reply>)>;

}  // namespace causeway::adapter
