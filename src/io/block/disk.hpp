// Disk: the host module of a disk that another partition's block unit serves. Requests are cut into
// pieces that the unit takes, several under way at once; what a lost connection had not answered is
// asked for again on the next one.
//
// Threading: one thread at a time.
// Ownership: owns its connection; shares the partition. Buffers are the caller's.
//
// Invariants:
//  1. Each request that was submitted has exactly one result.
//  2. A request without an end has pieces: not sent yet (from `sent` on), under way, or to be sent
//     again. It ends when it has none left.
//  3. Pieces are sent in the order in which their requests were submitted, those that are sent
//     again before all others. A flush does not wait for what was submitted before it.
//  4. Submitting and polling allocate nothing once connected, but for the first buffer that is not
//     registered.
#pragma once

#include <causeway/block.h>

#include <causeway/abi/block.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/block/chunks.hpp"
#include "io/messaging/host.hpp"
#include "platform/spinner.hpp"

namespace causeway::io::block {

inline constexpr std::uint32_t kDefaultDepth = 128;
inline constexpr std::uint32_t kMostDepth = 4096;
inline constexpr std::uint64_t kDefaultTimeoutNs = 60'000'000'000;
inline constexpr std::uint32_t kMostBytes = 32U << 20;  // of a read or write

struct DiskTerms {
    cw_disk_access access = CW_DISK_MOST;
    std::uint32_t depth = kDefaultDepth;
    std::uint64_t timeout_ns = kDefaultTimeoutNs;
    cw_wait wait = CW_WAIT_ADAPTIVE;
    abi::Executor executor = abi::Executor::any;
};

class Disk final : private messaging::Handler {
public:
    [[nodiscard]] static Result<std::unique_ptr<Disk>> open(
        std::shared_ptr<client::Partition> partition, const std::string& target,
        const DiskTerms& terms, std::uint64_t timeout_ns);
    ~Disk() override;

    [[nodiscard]] bool here() const noexcept { return partition_->here(); }
    [[nodiscard]] cw_disk_info info() const noexcept;
    [[nodiscard]] const char* trouble() const noexcept {
        return connected() ? "" : host_.trouble().c_str();
    }

    // Errors: see cw_disk_submit.
    [[nodiscard]] Result<void> submit(const cw_disk_request& asked);
    // Results that were taken; 0: the time is over. Errors: wrong_state.
    [[nodiscard]] Result<int> poll(cw_disk_result* out, int most, std::uint64_t timeout_ns);
    [[nodiscard]] Result<void> call(const cw_disk_request& asked, cw_disk_result& out);
    [[nodiscard]] int fd() noexcept;

private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr std::uint32_t kMostPieces = 256;

    struct Request {
        cw_disk_request asked{};
        cw_remote memory{};  // the buffer, as the unit is told of it; handle 0: not registered
        std::uint64_t deadline_ns = 0;
        std::uint64_t sent = 0;    // bytes of it that pieces were made of
        std::uint32_t pieces = 0;  // under way, or to be sent again
        std::uint32_t older = kNone;
        std::uint32_t newer = kNone;  // among those without an end; else: among results
        std::int32_t error = 0;
        std::uint32_t extents = 0;
        bool fresh = false;  // not all of it was made pieces of
    };
    struct Piece {
        std::uint32_t request = kNone;  // kNone: not in use
        std::uint32_t chunk = Chunks::kNone;
        std::uint32_t turn = 0;  // of its use: told the unit, and back
        bool in_place = false;
        std::uint64_t offset = 0;  // in the request
        std::uint64_t length = 0;
        std::uint64_t order = 0;
    };
    enum class Sent : std::uint8_t { yes, no_room, failed };

    Disk(std::shared_ptr<client::Partition> partition, const std::string& target,
         const DiskTerms& terms);
    [[nodiscard]] Result<void> await(const std::string& target, std::uint64_t timeout_ns);
    [[nodiscard]] bool connected() const noexcept { return opened_.size != 0 && ready_; }
    [[nodiscard]] Result<void> check(const cw_disk_request& asked) const;
    [[nodiscard]] Result<void> find_memory(Request& request);
    // Takes what has come, sends what can be sent; false: there was nothing.
    [[nodiscard]] bool turn() noexcept;
    // Looks for a moment, then sleeps, until turn() may have something.
    void rest(std::uint64_t until_ns) noexcept;
    [[nodiscard]] int collect(cw_disk_result* out, int most) noexcept;
    [[nodiscard]] bool collect_one(std::uint32_t number, cw_disk_result& out) noexcept;
    void expire(std::uint64_t now_ns) noexcept;
    [[nodiscard]] std::uint64_t next_deadline_ns() const noexcept {
        return oldest_ == kNone ? ipc::inner::kForever : requests_[oldest_].deadline_ns;
    }
    void append(std::uint32_t number) noexcept;
    void unlink(std::uint32_t number) noexcept;

    // ---- disk_pieces.cpp
    void opened(messaging::Channel& channel) noexcept override;
    void message(messaging::Channel& channel, const messaging::Message& message) noexcept override;
    void sent(messaging::Channel&, std::uint64_t) noexcept override {}
    void ended(messaging::Channel& channel) noexcept override;
    void take_opened(messaging::Channel& channel, const messaging::Message& message) noexcept;
    void take_refused(const messaging::Message& message) noexcept;
    [[nodiscard]] bool take_done(const messaging::Message& message) noexcept;
    void send_pieces() noexcept;
    [[nodiscard]] bool send_again() noexcept;
    [[nodiscard]] Sent shorten(std::uint32_t number) noexcept;
    [[nodiscard]] bool send_fresh() noexcept;
    [[nodiscard]] Sent send_piece(Request& request, std::uint32_t number) noexcept;
    [[nodiscard]] std::uint64_t longest(const Request& request) const noexcept;
    void free_piece(std::uint32_t number) noexcept;
    void end_if_done(std::uint32_t number) noexcept;
    void end(std::uint32_t number, std::int32_t error) noexcept;

    std::shared_ptr<client::Partition> partition_;
    DiskTerms terms_;
    messaging::Host host_;
    abi::block::Opened opened_{};  // as said last
    bool watched_ = false;         // by fd()
    bool ready_ = false;           // the unit has opened the disk on the connection of now
    bool in_place_ = false;        // and reaches memory itself
    bool reads_only_ = false;      // CW_DISK_MOST: writing was refused
    std::uint32_t under_way_ = 0;  // pieces on the connection of now
    std::string broken_;           // why the connection is to be let go
    ErrorCode broken_code_ = ErrorCode::none;
    std::vector<Request> requests_;
    std::vector<std::uint32_t> free_requests_;
    std::uint32_t oldest_ = kNone;  // of those without an end
    std::uint32_t newest_ = kNone;
    std::uint32_t next_fresh_ = kNone;
    std::uint32_t first_result_ = kNone;
    std::uint32_t last_result_ = kNone;
    std::vector<Piece> pieces_;
    std::vector<std::uint32_t> free_pieces_;
    std::vector<std::uint32_t> again_;  // pieces to be sent again, the first one last
    std::uint64_t sent_pieces_ = 0;
    Chunks bounce_;
    platform::Spinner spinner_;
};

}  // namespace causeway::io::block
