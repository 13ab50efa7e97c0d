// Standard input and output, each with a thread that may block there, so that neither direction
// waits for the other, and nobody else's descriptors need to be made non-blocking.
//
// Threading: a Reader or Writer is made, fed and emptied by one thread, the fabric's; their own
// threads touch only a buffer between its hand-over and its way back.
// Ownership: buffers are borrowed; who holds one is who may touch it.
//
// Invariants:
//  1. Every buffer handed over comes back through the inbox once, unless the thread is blocked for
//     good (input: nobody types any more).
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::pipe {

// What comes back to the fabric's thread.
struct Returned {
    enum class From { reader, writer } from;
    std::uint32_t slot;
    std::size_t length;  // reader: bytes read, 0 at the end of the input; writer: written
    int error;           // errno, or 0
};

class Inbox {
public:
    [[nodiscard]] Result<void> open();
    void put(const Returned& item);
    // All that is there; clears fd().
    [[nodiscard]] std::vector<Returned> take();
    [[nodiscard]] int fd() const noexcept { return wakeup_.get(); }

private:
    platform::UniqueFd wakeup_;  // an eventfd of this process alone
    std::mutex mutex_;
    std::vector<Returned> items_;
};

struct Handed {
    std::uint32_t slot;
    std::span<std::byte> bytes;
};

// Work for a thread.
class Tray {
public:
    void put(const Handed& item);
    void close();  // take() returns nothing once it is empty
    [[nodiscard]] std::optional<Handed> take();

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Handed> items_;
    bool closed_ = false;
};

// Fills buffers from `fd`: what one read() gives. Ends after the first end of input or error.
class Reader {
public:
    Reader(int fd, Inbox& inbox) : fd_(fd), inbox_(inbox) {}
    ~Reader();
    void start();
    void fill(const Handed& buffer) { tray_.put(buffer); }

private:
    int fd_;
    Inbox& inbox_;
    Tray tray_;
    std::thread thread_;
};

// Writes buffers to `fd`, in order. After an error it only returns them.
class Writer {
public:
    Writer(int fd, Inbox& inbox) : fd_(fd), inbox_(inbox) {}
    ~Writer();
    void start();
    void write(const Handed& bytes) { tray_.put(bytes); }

private:
    int fd_;
    Inbox& inbox_;
    Tray tray_;
    std::thread thread_;
};

// A larger buffer in the kernel if `fd` is a pipe: fewer changes of process. Best effort.
void widen_pipe(int fd);

}  // namespace causeway::pipe
