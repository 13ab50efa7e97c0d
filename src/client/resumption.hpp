// Resumption: one attempt to go on with the next adapter where the last one has died. Hands over
// what the partition holds, one thing after another, and never waits.
//
//   attach (with session and token) -> doorbells -> regions, part by part -> queue pairs
//   -> segments -> done -> the end of what was closed meanwhile
//
// Threading: the owner locks. Ownership: owns the new connection; borrows the holdings.
//
// Invariants:
//  1. Each thing is handed over once. One that the partition has let go of before its turn is
//     passed over; one that had its turn is ended by a request after `done`.
//  2. Nothing in the holdings changes but the fresh ends of doorbells.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/holdings.hpp"
#include "control/channel.hpp"

namespace causeway::client {

// By what an adapter knows the partition again.
struct Identity {
    std::uint32_t session = 0;
    std::uint8_t token[abi::kTokenSize]{};
    std::string name;  // as it was attached under
};

class Resumption {
public:
    enum class Outcome : std::uint8_t {
        working,  // the next answer has not come
        resumed,  // all is handed over
        again,    // not this time
        refused,  // never
    };

    // `ended`: listeners that the adapter is to forget. Throws std::bad_alloc only.
    Resumption(control::Channel channel, const Identity& identity, Holdings& holdings,
               const std::vector<std::uint32_t>& ended);

    // As far as it goes without waiting. Once resumed it stays so, unless something is ended.
    [[nodiscard]] Outcome step();
    // Of again and refused.
    [[nodiscard]] const Error& why() const noexcept { return why_; }
    // Has the thing been handed over, or is it on its way?
    [[nodiscard]] bool knows(Kind kind, std::uint32_t id) const noexcept;
    // It was let go of since: the adapter is to forget it, too. `generation`: of a region.
    void end(Kind kind, std::uint32_t id, std::uint32_t generation = 0);
    // Does the adapter hold the session by this connection? Then an attempt that failed goes on
    // with it: giving it up would end the session.
    [[nodiscard]] bool attached() const noexcept { return turn_ != 0 && channel_.open(); }

    // Readable when there may be something for step().
    [[nodiscard]] int fd() const noexcept { return channel_.fd(); }
    [[nodiscard]] const abi::AttachReply& terms() const noexcept { return terms_; }
    [[nodiscard]] control::Channel take_channel() noexcept { return std::move(channel_); }

private:
    using Request = abi::Request;
    struct Turn {
        Request request;
        std::uint32_t id;
        std::uint32_t part;  // deregister_region: generation
    };
    enum class Asked : std::uint8_t { yes, passed_over };

    [[nodiscard]] Result<Asked> ask(const Turn& turn);
    [[nodiscard]] Result<void> ask_attach();
    [[nodiscard]] Result<void> ask_end(const Turn& turn);
    [[nodiscard]] Result<void> take_answer(const Turn& turn);
    [[nodiscard]] Result<void> take_attach();
    [[nodiscard]] Outcome failed(Error error);

    control::Channel channel_;
    const Identity& identity_;
    Holdings& holdings_;
    std::vector<Turn> plan_;
    std::size_t turn_ = 0;
    bool asked_ = false;  // and not answered
    abi::AttachReply terms_{};
    Error why_;
};

}  // namespace causeway::client
