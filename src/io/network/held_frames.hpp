// HeldFrames: frames that lie where they came in, as long as somebody sends from there or waits to.
//
// Threading: one thread. Ownership: of numbers only; the memory is its channel's or the uplink's.
//
// Invariants:
//  1. A frame is let go, by the function that was given, when its last user has dropped it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.hpp"
#include "io/messaging/channel.hpp"

namespace causeway::io::network {

class HeldFrames {
public:
    struct Frame {
        messaging::Channel* from = nullptr;  // null: the uplink
        std::uint32_t token = 0;             // of that channel; of the uplink: its buffer
        std::uint32_t users = 0;
        cw_slice body{};  // what lies behind the head
    };

    // Throws std::bad_alloc only. One user.
    [[nodiscard]] std::uint32_t hold(messaging::Channel* from, std::uint32_t token,
                                     const cw_slice& body) {
        if (free_.empty()) {
            frames_.emplace_back();
            free_.reserve(frames_.size());
            free_.push_back(static_cast<std::uint32_t>(frames_.size() - 1));
        }
        const std::uint32_t number = free_.back();
        free_.pop_back();
        frames_[number] = {from, token, 1, body};
        return number;
    }
    [[nodiscard]] const Frame& operator[](std::uint32_t number) const noexcept {
        return frames_[number];
    }
    void use(std::uint32_t number) noexcept { ++frames_[number].users; }
    template<typename F>
    void drop(std::uint32_t number, F&& let_go) noexcept {
        Frame& frame = frames_[number];
        CW_ASSERT(frame.users != 0);
        if (--frame.users != 0)
            return;
        let_go(frame);
        frame = {};
        free_.push_back(number);
    }
    [[nodiscard]] std::size_t count() const noexcept { return frames_.size() - free_.size(); }

private:
    std::vector<Frame> frames_;
    std::vector<std::uint32_t> free_;
};

}  // namespace causeway::io::network
