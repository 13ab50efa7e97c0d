// Channel: one connection between a host module and an I/O unit module, either end: the buffers
// that messages come into, the places that they are put together in, and the credit by which
// neither side sends what the other has no room for.
//
// Threading: its port's thread.
// Ownership: owns queue pair and memory. A completion that names a channel must be handed to
// take().
//
// Invariants:
//  1. Every message that take() hands out is released exactly once. Until then its buffer is the
//     reader's, and it is not filled again; but the peer can still write into a large buffer,
//     which it may write to, and with executor direct into any: what is decided upon is copied
//     first.
//  2. What stands in place(), or in slices handed to send(), is not changed before its transfer has
//     ended: of a place, that is before `send_entries` further transfers; of slices, before
//     Event::sent has said so.
//  3. Each send() that was taken ends in exactly one Event::sent, also where the connection ends.
//  4. Sending and taking allocate nothing and make no system call but to wake a sleeping peer.
#pragma once

#include <causeway/causeway.h>
#include <causeway/abi/messaging.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/queue_pair.hpp"
#include "client/region.hpp"
#include "ipc/port.hpp"

namespace causeway::io::messaging {

// Within which whoever has connected, or accepted, has to say its Hello.
inline constexpr std::uint64_t kHelloNs = 5'000'000'000;

// What one end offers and wants. Sizes are in bytes, without the layer's Header.
struct ChannelTerms {
    std::uint16_t service = 0;     // must be the peer's too
    std::uint32_t features = 0;    // of the service
    std::uint32_t messages = 64;   // small ones to this end that are not yet released, at most
    std::uint32_t message = 2048;  // size of one
    std::uint32_t buffers = 0;     // large ones to this end, likewise
    std::uint32_t buffer = 0;      // size of one
    std::uint32_t sends = 64;      // transfers from this end that are under way, at most
    std::uint32_t place = 2048;    // of a message that is put together in place()
    abi::Executor executor = abi::Executor::any;
    std::uint64_t hello_ns = kHelloNs;  // how long the peer's Hello is waited for
};

// A message that was taken. `data` lies behind the Header, in the channel's memory.
struct Message {
    std::uint16_t kind;
    std::uint32_t token;  // for release()
    std::uint64_t tag;
    const std::byte* data;
    std::uint32_t length;  // bytes
    cw_slice slice() const noexcept { return {const_cast<std::byte*>(data), length, handle}; }
    std::uint32_t handle;  // of the region that it lies in
};

class Channel {
public:
    enum class Event {
        nothing,  // credit: there may be room now
        opened,   // the peer's Hello has come: peer_terms()
        message,  // message(): until the next take(); its bytes until release()
        sent,     // sent_cookie(): that send() has ended
        ended,    // the connection has; reason() and why() tell
    };

    [[nodiscard]] static Result<std::unique_ptr<Channel>> create(const ipc::inner::Port& port,
                                                                 const ChannelTerms& terms);
    Channel(const ChannelTerms& terms, std::shared_ptr<client::Partition> partition) noexcept;

    // The connecting end: begins to. The listening end: accepts onto pair(), then welcome().
    [[nodiscard]] Result<void> begin(const std::string& target);
    [[nodiscard]] Result<void> welcome() { return greet(); }
    [[nodiscard]] client::QueuePair& pair() noexcept { return *pair_; }

    [[nodiscard]] bool is_open() const noexcept { return opened_ && !ended(); }
    [[nodiscard]] bool ended() const noexcept { return reason_ != ErrorCode::none; }
    [[nodiscard]] ErrorCode reason() const noexcept { return reason_; }
    [[nodiscard]] const char* why() const noexcept { return why_; }
    [[nodiscard]] const char* peer() const noexcept { return pair_->peer(); }
    [[nodiscard]] const char* executor() const noexcept { return pair_->executor(); }
    [[nodiscard]] const abi::messaging::Hello& peer_terms() const noexcept { return theirs_; }
    [[nodiscard]] std::uint32_t features() const noexcept {
        return terms_.features & theirs_.features;
    }
    // Bytes of the largest message that the peer takes.
    [[nodiscard]] std::uint32_t largest() const noexcept { return largest_; }

    [[nodiscard]] Event take(const cw_completion& completion) noexcept;
    [[nodiscard]] const Message& message() const noexcept { return message_; }
    [[nodiscard]] std::uint64_t sent_cookie() const noexcept { return cookie_; }
    void release(std::uint32_t token) noexcept;

    // Has the peer room for a message of `length` bytes, beside `kept` small ones?
    [[nodiscard]] bool has_room(std::uint32_t length, std::uint32_t kept = 0) const noexcept {
        return fits_message(length) ? credit_ > kept : !free_.empty() && length <= largest_;
    }
    // Where the next message is put together, of at most ChannelTerms::place bytes.
    [[nodiscard]] std::byte* place() const noexcept {
        return place_ + sizeof(abi::messaging::Header);
    }
    // Sends what stands in place(). Errors: again (no room, or the send queue is full), what ended
    // the connection.
    [[nodiscard]] ErrorCode send_place(std::uint16_t kind, std::uint64_t tag,
                                       std::uint32_t length) noexcept;
    // What a send() begins with: copied at once, at most kMostPrefix bytes.
    using Prefix = std::span<const std::byte>;
    static constexpr std::size_t kMostPrefix = 32;
    // Only if every put() since the last such message went well: else it is not sent, and the
    // connection ends.
    enum class After : std::uint8_t { anything, puts };
    // Sends `prefix` and these, one behind the other, from where they lie. Errors: as above;
    // invalid_argument (longer than largest(), too many slices).
    [[nodiscard]] ErrorCode send(std::uint16_t kind, std::uint64_t tag, Prefix prefix,
                                 std::span<const cw_slice> slices, std::uint64_t cookie,
                                 After after = After::anything) noexcept;
    // Writes straight into memory that the peer has named, in front of all messages sent later.
    // Errors: as above.
    [[nodiscard]] ErrorCode put(const cw_remote& to, std::span<const cw_slice> slices) noexcept;
    // Gives back what was released, if it is worth a message of its own by now. To be called when
    // nothing is left to be done.
    void settle() noexcept { give_back_if_due(); }
    // Ends it on this side, where nothing will come any more that does.
    void abandon(ErrorCode reason = ErrorCode::adapter_gone,
                 const char* why = "the adapter has gone") noexcept {
        (void)end(reason, why);
        unsent_ = 0;
    }
    // Sends that have not ended in Event::sent.
    [[nodiscard]] std::uint32_t unsent() const noexcept { return unsent_; }
    [[nodiscard]] std::uint32_t holds() const noexcept { return holds_; }

    void* user = nullptr;

private:
    [[nodiscard]] Result<void> furnish();
    [[nodiscard]] Result<void> greet();
    [[nodiscard]] const char* accept_hello(const std::byte* bytes, std::uint32_t length) noexcept;
    [[nodiscard]] bool take_header(const abi::messaging::Header& header) noexcept;
    [[nodiscard]] Event take_receive(const cw_completion& completion) noexcept;
    [[nodiscard]] Event take_send(const cw_completion& completion) noexcept;
    Event end(ErrorCode reason, const char* why) noexcept;
    void repost(std::uint32_t receive) noexcept;
    void fill_header(std::byte* at, std::uint16_t kind, std::uint64_t tag) noexcept;
    void note_given_back() noexcept;
    void give_back_if_due() noexcept;
    [[nodiscard]] ErrorCode post(std::span<const cw_slice> slices, std::uint32_t length,
                                 std::uint64_t id, std::uint32_t flags) noexcept;
    [[nodiscard]] bool fits_message(std::uint32_t length) const noexcept {
        return length + sizeof(abi::messaging::Header) <= theirs_.message_size;
    }
    [[nodiscard]] std::byte* receive_at(std::uint32_t receive) const noexcept {
        return receives_at_ + std::size_t{receive} * receive_stride_;
    }

    std::unique_ptr<client::QueuePair> pair_;
    std::byte* place_ = nullptr;
    std::byte* places_at_ = nullptr;
    std::byte* places_end_ = nullptr;
    std::byte* heading_ = nullptr;  // the next Header of slices, which lie elsewhere
    std::byte* headings_at_ = nullptr;
    std::byte* headings_end_ = nullptr;
    std::byte* receives_at_ = nullptr;
    std::byte* buffers_at_ = nullptr;
    std::uint32_t receive_stride_ = 0;
    std::uint32_t receive_size_ = 0;
    std::uint32_t buffer_stride_ = 0;
    std::uint32_t place_stride_ = 0;
    std::uint32_t largest_ = 0;
    // Toward the peer.
    std::uint32_t credit_ = 0;
    std::uint32_t sent_ = 0;
    std::uint32_t consumed_by_peer_ = 0;
    std::uint32_t unsent_ = 0;
    std::vector<std::uint16_t> free_;  // large buffers of the peer, the one used last on top
    std::vector<std::uint8_t> out_;    // of these: is it full, or on its way?
    // From the peer.
    std::uint32_t consumed_ = 0;          // as the peer is told
    std::uint32_t released_ = 0;          // messages, beyond that
    std::uint32_t holds_ = 0;             // messages and large buffers that are not released
    std::uint32_t large_holds_ = 0;       // of these
    std::vector<std::uint16_t> emptied_;  // large buffers that are released and not given back
    enum class Place : std::uint8_t { free, held, released };
    std::vector<Place> held_;  // receives, then large buffers: by token
    Message message_{};
    std::uint64_t cookie_ = 0;
    bool opened_ = false;
    bool greeting_sent_ = false;
    ErrorCode reason_ = ErrorCode::none;
    const char* why_ = "";
    abi::messaging::Hello theirs_{};
    ChannelTerms terms_;
    std::shared_ptr<client::Partition> partition_;
    std::unique_ptr<client::Region> memory_;
    std::unique_ptr<client::Region> large_;  // null: there are none
};

}  // namespace causeway::io::messaging
