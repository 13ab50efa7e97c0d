// Host: the connecting end of a host module. It attaches to the fabric, connects to its unit, and
// does so again, by itself, whenever unit or adapter have gone and come back. On a partition that
// it was given it does not outlive that.
//
// Threading: one thread at a time.
// Ownership: owns port and channel, and the partition that it has attached itself.
//
// Invariants:
//  1. There is at most one channel. Between ended() and the next opened() there is none to send on.
//  2. A new attempt follows a failed one after kFirstPauseNs, then twice that, up to kLastPauseNs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "io/messaging/handler.hpp"

namespace causeway::io::messaging {

inline constexpr std::uint64_t kFirstPauseNs = 20'000'000;
inline constexpr std::uint64_t kLastPauseNs = 500'000'000;

struct HostTerms {
    std::shared_ptr<client::Partition> partition{};  // null: one of its own, by the next three
    std::string socket{};                            // empty: as the environment says
    std::string name{};  // of the partition; empty: as its entrance says
    std::optional<std::uint64_t> patience_ns{};
    std::string target{};  // "partition/controller"
    cw_wait wait = CW_WAIT_ADAPTIVE;
    ChannelTerms channel{};
};

class Host {
public:
    explicit Host(HostTerms terms);
    ~Host();

    // Takes what has come, connects where that is due; false: there was nothing to do.
    [[nodiscard]] bool step(Handler& handler) noexcept;
    // Null: not connected now.
    [[nodiscard]] Channel* channel() const noexcept {
        return channel_ && channel_->is_open() ? channel_.get() : nullptr;
    }
    // For poll(), valid after settle(); negative: nothing to wait for but the moment. May be
    // another one after every step().
    [[nodiscard]] int fd() const noexcept { return fd_; }
    // Waits until step() may have something to do, at most until `until_ns`.
    void wait(std::uint64_t until_ns) noexcept;
    // Lets go of the connection, if there is one: nothing comes or goes on it any more. The next
    // attempt follows.
    void drop(Handler& handler, ErrorCode code, std::string why) noexcept;
    // The partition that it was given has gone for good.
    [[nodiscard]] bool over() const noexcept { return terms_.partition && partition_->gone(); }
    // Prepares fd(). The moment at which step() has something to do, whatever fd() says.
    [[nodiscard]] std::uint64_t settle(std::uint64_t until_ns = ipc::inner::kForever) noexcept;

    // Why there is no channel, as a sentence; empty as long as nothing has gone wrong.
    [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }
    // Its code. Some do not go away by waiting: denied, invalid_argument, version.
    [[nodiscard]] ErrorCode trouble_code() const noexcept { return trouble_code_; }
    [[nodiscard]] std::uint32_t connections() const noexcept { return connections_; }
    [[nodiscard]] const std::shared_ptr<client::Partition>& partition() const noexcept {
        return partition_;
    }

private:
    [[nodiscard]] std::uint64_t next_moment(std::uint64_t until_ns) const noexcept;
    void connect() noexcept;
    [[nodiscard]] Result<void> try_to_connect();
    void lose(ErrorCode code, std::string why) noexcept;

    HostTerms terms_;
    std::shared_ptr<client::Partition> partition_;
    std::unique_ptr<ipc::inner::Port> port_;
    std::unique_ptr<Channel> channel_;
    int fd_ = -1;
    std::uint64_t next_try_ns_ = 0;  // without a channel
    std::uint64_t hello_by_ns_ = 0;  // with one that is not open
    std::uint64_t pause_ns_ = kFirstPauseNs;
    std::uint32_t connections_ = 0;
    ErrorCode trouble_code_ = ErrorCode::none;
    std::string trouble_;
};

}  // namespace causeway::io::messaging
