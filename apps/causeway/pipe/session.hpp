// Session: one connection of `causeway pipe`, from hello to the last byte in both directions.
//
// Threading: one thread, the fabric's, with the two of io_threads.hpp behind it. Ownership: owns
// its queue pair, buffers and threads; borrows the partition.
//
// Invariants:
//  1. Bytes leave in the order in which they were read, and are written in the order in which they
//     came; none is lost or doubled.
//  2. run() succeeds only if the peer has said that it wrote everything (done), and everything of
//     the peer up to its end mark has been written here.
#pragma once

#include <array>
#include <causeway/causeway.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include "base/result.hpp"
#include "pipe/io_threads.hpp"
#include "pipe/progress.hpp"
#include "pipe/protocol.hpp"

namespace causeway::pipe {

struct Streams {
    int input = -1;  // -1: nothing is sent, the end comes at once
    int output = -1;
    // The peer's end ends the input too: nobody wants to press Ctrl-D at a terminal.
    bool input_follows = false;
};

class Session {
public:
    Session(Partition& partition, const Streams& streams, Progress& progress);
    // Waits for its threads: call only after run() succeeded or where the input is -1. Else leave
    // the process: a thread may be in read() for good.
    ~Session() = default;

    [[nodiscard]] Result<void> accept(Listener& listener);
    [[nodiscard]] Result<void> connect(const std::string& target, std::chrono::nanoseconds retry);
    // Moves all data in both directions. If it fails, what had come until then has been written.
    [[nodiscard]] Result<void> run();

    [[nodiscard]] const std::string& peer() const { return peer_; }

private:
    [[nodiscard]] Result<void> open();
    [[nodiscard]] Result<void> move_all();
    void write_what_came();
    [[nodiscard]] Result<void> wait();
    [[nodiscard]] Result<void> take_completions();
    [[nodiscard]] Result<void> take_returned();
    void collect_returned();
    [[nodiscard]] Result<void> on_completion(const Completion& completion);
    [[nodiscard]] Result<void> on_sent(std::uint32_t slot);
    [[nodiscard]] Result<void> on_arrival(std::uint32_t slot, const Completion& completion);
    [[nodiscard]] Result<void> on_hello(std::uint32_t slot, std::uint32_t length);
    [[nodiscard]] Result<void> on_end();
    [[nodiscard]] Result<void> on_piece(std::uint32_t slot, std::uint32_t length);
    [[nodiscard]] Result<void> on_read(const Returned& item);
    [[nodiscard]] Result<void> on_written(const Returned& item);
    [[nodiscard]] Result<void> finish_incoming();
    [[nodiscard]] Result<void> send_end();
    [[nodiscard]] Result<void> say(Message message, const void* content = nullptr,
                                   std::size_t size = 0);
    [[nodiscard]] Result<void> post_receive(std::uint32_t slot);
    [[nodiscard]] tl::unexpected<Error> give_up(Failure failure, ErrorCode code, std::string text);
    [[nodiscard]] tl::unexpected<Error> peer_lost() const;
    [[nodiscard]] bool finished() const noexcept {
        return outgoing_ == Outgoing::confirmed && incoming_ == Incoming::told;
    }
    [[nodiscard]] Handed buffer(std::uint32_t slot, std::size_t length) const;

    // Slots of the region: first those to send from, then those to receive into.
    static constexpr std::uint32_t kSlots = 2 * kDepth;
    static constexpr std::uint64_t kNote = 1ull << 32;  // id of a Message's send, plus its kind

    enum class Outgoing { open, ended, confirmed };
    enum class Incoming { open, ended, written, told };

    Partition& partition_;
    Streams streams_;
    Progress& progress_;
    Region region_;  // outlives the queue pair, which may move data until it is closed
    CompletionQueue queue_;
    QueuePair pair_;
    std::string peer_;
    Inbox inbox_;
    std::deque<Returned> returned_;  // taken from the inbox, not looked at yet
    Reader reader_;
    Writer writer_;
    Outgoing outgoing_ = Outgoing::open;
    Incoming incoming_ = Incoming::open;
    bool greeted_ = false;
    std::size_t chunk_ = kChunk;  // what the peer takes
    std::uint32_t writing_ = 0;   // pieces that the writer holds
};

}  // namespace causeway::pipe
