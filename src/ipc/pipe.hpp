// Pipe: a stream of bytes each way over one connection; and the listening end that makes pipes.
//
// Threading: each object: one thread at a time.
// Ownership: a pipe owns its port and link, and outlives its listener.
//
// Invariants:
//  1. Bytes are read in the order in which they were written, and the end of the stream after all
//  of
//     them.
//  2. Reading gives back a buffer once its last byte was consumed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/listener.hpp"
#include "ipc/link.hpp"
#include "ipc/port.hpp"
#include "ipc/terms.hpp"

namespace causeway::ipc::inner {

class Pipe {
public:
    // An end that is not connected yet.
    [[nodiscard]] static Result<std::unique_ptr<Pipe>> create(
        const std::shared_ptr<client::Partition>& partition, const Terms& terms);
    [[nodiscard]] Result<void> connect(const std::string& target, std::uint64_t timeout_ns);
    // Ends writing first.
    ~Pipe();
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    [[nodiscard]] bool here() const noexcept { return port_->here(); }
    [[nodiscard]] Link& link() noexcept { return *link_; }
    // Each sets the thread's error text where it returns an error.
    [[nodiscard]] ErrorCode write(const void* data, std::size_t length, std::uint64_t timeout_ns,
                                  std::size_t& written) noexcept;
    [[nodiscard]] ErrorCode read(void* data, std::size_t length, std::uint64_t timeout_ns,
                                 std::size_t& got) noexcept;
    [[nodiscard]] ErrorCode peek(const void*& data, std::size_t& length,
                                 std::uint64_t timeout_ns) noexcept;
    [[nodiscard]] ErrorCode consume(std::size_t length) noexcept;
    [[nodiscard]] ErrorCode shutdown() noexcept;
    [[nodiscard]] int fd() noexcept { return port_->fd(); }
    [[nodiscard]] const char* peer() const noexcept { return link_->peer(); }

private:
    struct Piece {  // of what has come
        std::uint32_t buffer;
        std::uint32_t begin;
        std::uint32_t end;
    };

    Pipe(std::unique_ptr<Port> port, std::uint32_t pieces)
        : pieces_(pieces), port_(std::move(port)) {}
    void take_all() noexcept;
    [[nodiscard]] std::size_t write_some(const std::byte* data, std::size_t length) noexcept;
    [[nodiscard]] ErrorCode ended(const char* gone) const noexcept;
    [[nodiscard]] bool readable() const noexcept {
        return count_ != 0 || stream_over_ || link_->ended();
    }
    [[nodiscard]] bool worth() const noexcept {
        return (starved_reader_ && readable()) ||
               (starved_writer_ && (link_->credit() != 0 || link_->ended()));
    }
    [[nodiscard]] ErrorCode nothing_yet(std::uint64_t timeout_ns, const char* now,
                                        const char* in_time) noexcept;
    void tell_others() noexcept {
        if (port_->watched() && worth())
            port_->kick();
    }

    std::vector<Piece> pieces_;  // a ring
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    bool stream_over_ = false;  // the peer's
    bool shut_ = false;         // this end's
    bool starved_reader_ = false;
    bool starved_writer_ = false;
    std::unique_ptr<Port> port_;
    std::unique_ptr<Link> link_;
};

class PipeListener {
public:
    [[nodiscard]] static Result<std::unique_ptr<PipeListener>> open(
        const std::shared_ptr<client::Partition>& partition, const std::string& service,
        const Terms& terms);

    [[nodiscard]] bool here() const noexcept { return port_->here(); }
    [[nodiscard]] Result<std::unique_ptr<Pipe>> accept(std::uint64_t timeout_ns);
    [[nodiscard]] int fd() noexcept { return port_->fd(); }

private:
    PipeListener(std::unique_ptr<Port> port, client::Listener listener, const Terms& terms) noexcept
        : port_(std::move(port)), listener_(std::move(listener)), terms_(terms) {}
    [[nodiscard]] Result<std::unique_ptr<Pipe>> try_accept();

    std::unique_ptr<Port> port_;
    client::Listener listener_;
    Terms terms_;
    std::unique_ptr<Pipe> spare_;
};

}  // namespace causeway::ipc::inner
