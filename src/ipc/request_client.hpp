// RequestClient: sends requests to one server, several at a time, and hands out what comes of each.
//
// Threading: one thread at a time.
// Ownership: owns port and link. An answer belongs to its taker until release().
//
// Invariants:
//  1. Requests that the server holds and answers that are held here are together no more than the
//     window: for each of them the other side has a buffer.
//  2. Each request that was started has one outcome: its answer, or an error. An answer is dropped
//     where the deadline has passed before it was seen.
//  3. A slot is used again only under another lap, so that a late answer fits nobody.
#pragma once

#include <causeway/ipc.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ipc/link.hpp"
#include "ipc/port.hpp"
#include "ipc/terms.hpp"

namespace causeway::ipc::inner {

class RequestClient {
public:
    [[nodiscard]] static Result<std::unique_ptr<RequestClient>> open(
        std::shared_ptr<client::Partition> partition, const std::string& target, const Terms& terms,
        std::uint64_t timeout_ns);

    [[nodiscard]] bool here() const noexcept { return port_->here(); }
    // Each sets the thread's error text where it returns an error.
    [[nodiscard]] ErrorCode call(const void* data, std::size_t length, std::uint64_t timeout_ns,
                                 cw_answer& out) noexcept;
    [[nodiscard]] ErrorCode start(const void* data, std::size_t length, std::uint64_t deadline_ns,
                                  std::uint64_t user) noexcept;
    [[nodiscard]] ErrorCode finish(cw_answer& out, std::uint64_t timeout_ns) noexcept;
    [[nodiscard]] ErrorCode release(cw_answer& answer) noexcept;
    [[nodiscard]] int fd() noexcept { return port_->fd(); }

private:
    enum class State : std::uint8_t { free, waiting, done };
    enum class Taker : std::uint8_t { finish, call };  // who gets the outcome
    struct Slot {
        State state = State::free;
        Taker taker = Taker::finish;
        ErrorCode error = ErrorCode::none;
        std::uint32_t lap = 0;
        std::uint32_t buffer = 0;
        std::uint32_t length = 0;
        std::uint64_t deadline_ns = kForever;
        std::uint64_t user = 0;
    };

    RequestClient(std::unique_ptr<Port> port, const Terms& terms);
    [[nodiscard]] ErrorCode check(const void* data, std::size_t length) noexcept;
    [[nodiscard]] ErrorCode try_start(const void* data, std::size_t length, Taker taker,
                                      std::uint64_t until_ns, std::uint64_t user,
                                      std::uint32_t& slot) noexcept;
    [[nodiscard]] bool room() const noexcept;
    void take_all() noexcept;
    void take_answer(const cw_completion& c) noexcept;
    void expire() noexcept;
    void fail_all(ErrorCode error) noexcept;
    void end(Slot& slot, ErrorCode error) noexcept;
    [[nodiscard]] ErrorCode hand_out(std::uint32_t slot, cw_answer& out) noexcept;
    [[nodiscard]] ErrorCode nothing_yet(ErrorCode code, const char* text) noexcept;
    void tell_others() noexcept;
    [[nodiscard]] bool worth() const noexcept {
        return (starved_start_ && room()) || (starved_finish_ && ready_count_ != 0);
    }

    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> ready_;  // a ring of slots with an outcome for finish()
    std::size_t ready_at_ = 0;
    std::size_t ready_count_ = 0;
    std::uint32_t at_server_ = 0;           // requests that were not answered
    std::uint32_t open_ = 0;                // outcomes that finish() owes
    std::uint64_t earliest_ns_ = kForever;  // no deadline of a waiting slot is before this
    bool starved_start_ = false;
    bool starved_finish_ = false;
    std::unique_ptr<Port> port_;
    std::unique_ptr<Link> link_;  // before the port, which may still name it
};

}  // namespace causeway::ipc::inner
