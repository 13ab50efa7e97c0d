// Device: where frames enter and leave the fabric; a TAP or a packet socket.
//
// Both speak frame.hpp's form, a 12-byte virtio-net header in front of each frame, and neither
// ever waits: wait for fd() with epoll.
//
// Threading: one thread reads and one writes at a time, which may be two. Ownership: closes its
// descriptor, and what hangs on that goes with it.
//
// Invariants:
//  1. One call moves one whole frame or none. Nothing is cut: what does not fit is lost, and said.
//  2. No call allocates, throws or waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "io/network/frame.hpp"

namespace causeway::io::network {

enum class IoStatus : std::uint8_t {
    done,
    again,    // nothing there, or no room: wait for fd()
    refused,  // this frame is lost; the next one may do. Not to be tried again
    gone,     // the device, for good
};
[[nodiscard]] const char* name(IoStatus status) noexcept;

struct IoResult {
    IoStatus status = IoStatus::done;
    std::size_t bytes = 0;  // of the frame with its virtio-net header, if it is done
    int error = 0;          // errno, if it is not
};

class Device {
public:
    Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;
    virtual ~Device() = default;

    // Readable: a frame is there. Writable: another one has room.
    [[nodiscard]] virtual int fd() const noexcept = 0;
    // The interface's name, in its namespace.
    [[nodiscard]] virtual const std::string& interface() const noexcept = 0;
    [[nodiscard]] virtual MacAddress mac() const noexcept = 0;
    [[nodiscard]] virtual std::uint32_t mtu() const noexcept = 0;

    // The next frame. A buffer of kMaxFrame takes every one; what does not fit a smaller one is
    // refused with EMSGSIZE.
    [[nodiscard]] virtual IoResult read(std::span<std::byte> frame) noexcept = 0;
    // A frame in two pieces: what was judged and copied (FrameFacts::head()), and what lies behind
    // it. The kernel judges both once more.
    [[nodiscard]] virtual IoResult write(std::span<const std::byte, kHeadSize> head,
                                         std::span<const std::byte> rest) noexcept = 0;
    // A frame in one piece, which nobody else can write to.
    [[nodiscard]] IoResult write(std::span<const std::byte> frame) noexcept;

protected:
    Device(Device&&) = default;
    Device& operator=(Device&&) = default;
};

}  // namespace causeway::io::network
