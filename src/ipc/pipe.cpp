#include "ipc/pipe.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/last_error.hpp"
#include "ipc/parting.hpp"

namespace causeway::ipc::inner {

Result<std::unique_ptr<Pipe>> Pipe::create(const std::shared_ptr<client::Partition>& partition,
                                           const Terms& terms) {
    CW_TRY_ASSIGN(auto port, Port::open(partition, terms.wait, Doors::none));
    std::unique_ptr<Pipe> pipe(new Pipe(std::move(port), terms.depth + abi::kSpareReceives));
    LinkTerms link;
    link.kind = abi::IpcKind::pipe;
    link.largest = terms.largest;
    link.window = terms.depth;
    link.depth = terms.depth;
    link.limit = terms.largest;
    link.executor = terms.executor;
    CW_TRY_ASSIGN(pipe->link_, Link::create(*pipe->port_, link));
    return pipe;
}

Result<void> Pipe::connect(const std::string& target, std::uint64_t timeout_ns) {
    const auto take_in = [this] { take_all(); };
    const Within within(timeout_ns);
    CW_TRY(begin_within(*port_, *link_, target, within, take_in));
    return greet_within(*port_, *link_, target, within, take_in);
}

Pipe::~Pipe() {
    if (!link_ || !here())
        return;
    if (link_->greeted() && !link_->ended() && shutdown() == ErrorCode::none)
        see_off(*port_, [this] { return link_->ended() || link_->said_all(); });
}

void Pipe::take_all() noexcept {
    while (const cw_completion* c = port_->next()) {
        switch (link_->take(*c)) {
            case Link::Event::message:
                if (count_ == pieces_.size() || stream_over_) {  // against the rules
                    link_->release(link_->buffer());
                    break;
                }
                pieces_[(first_ + count_++) % pieces_.size()] = {link_->buffer(), 0, c->length};
                break;
            case Link::Event::no_bytes:
                stream_over_ = true;
                break;
            default:
                break;
        }
    }
}

ErrorCode Pipe::ended(const char* gone) const noexcept {
    if (!link_->ended()) {
        return client::set_error(ErrorCode::adapter_gone,
                                 "the adapter has gone for good: close the partition and attach "
                                 "anew");
    }
    return link_->ended_error(link_->reason() == ErrorCode::peer_gone ? gone
                                                                      : "the connection has ended");
}

// A call that found nothing to do ends.
ErrorCode Pipe::nothing_yet(std::uint64_t timeout_ns, const char* now,
                            const char* in_time) noexcept {
    port_->settle(worth() ? Port::Worth::something : Port::Worth::nothing);
    if (timeout_ns == 0)
        return client::set_error(ErrorCode::again, now);
    return client::set_error(ErrorCode::timed_out, in_time, timeout_ns / 1'000'000);
}

// As many bytes as there is room for.
std::size_t Pipe::write_some(const std::byte* data, std::size_t length) noexcept {
    std::size_t written = 0;
    while (written < length && link_->credit() != 0) {
        const auto piece = static_cast<std::uint32_t>(
            std::min<std::size_t>(length - written, link_->peer_terms().largest));
        std::memcpy(link_->place(), data + written, piece);
        if (link_->send(piece, CW_IMMEDIATE, link_->consume()) != ErrorCode::none)
            break;
        written += piece;
    }
    return written;
}

ErrorCode Pipe::write(const void* data, std::size_t length, std::uint64_t timeout_ns,
                      std::size_t& written) noexcept {
    starved_writer_ = false;
    written = 0;
    if (shut_)
        return client::set_error(ErrorCode::wrong_state, "writing to this pipe was shut down");
    if (data == nullptr && length != 0)
        return client::set_error(ErrorCode::invalid_argument, "nothing to write given (NULL)");
    std::uint64_t until = 0;
    while (written < length) {
        written += write_some(static_cast<const std::byte*>(data) + written, length - written);
        if (written == length)
            break;
        take_all();
        if (link_->credit() != 0)
            continue;
        if (link_->ended() || port_->ended()) {
            if (written != 0)
                break;
            return ended("the other end of the pipe has gone: nobody reads this");
        }
        if (until == 0 && timeout_ns != 0)
            until = moment_in(timeout_ns);
        if (timeout_ns == 0 || port_->wait(until) == Port::Woken::timed_out) {
            if (written != 0)
                break;
            starved_writer_ = true;
            return nothing_yet(timeout_ns, "the pipe is full", "the pipe was full for %llu ms");
        }
    }
    tell_others();
    return ErrorCode::none;
}

ErrorCode Pipe::peek(const void*& data, std::size_t& length, std::uint64_t timeout_ns) noexcept {
    starved_reader_ = false;
    std::uint64_t until = 0;
    for (;;) {
        if (count_ == 0)
            take_all();
        if (count_ != 0) {
            const Piece& piece = pieces_[first_];
            data = link_->data_of(piece.buffer) + piece.begin;
            length = piece.end - piece.begin;
            tell_others();
            return ErrorCode::none;
        }
        data = nullptr;
        length = 0;
        if (stream_over_)
            return ErrorCode::none;
        if (link_->ended() || port_->ended())
            return ended("the other end of the pipe has gone without ending its stream");
        if (until == 0 && timeout_ns != 0)
            until = moment_in(timeout_ns);
        if (timeout_ns == 0 || port_->wait(until) == Port::Woken::timed_out) {
            starved_reader_ = true;
            return nothing_yet(timeout_ns, "there is nothing to read now",
                               "there was nothing to read within %llu ms");
        }
    }
}

ErrorCode Pipe::consume(std::size_t length) noexcept {
    const std::size_t shown = count_ != 0 ? pieces_[first_].end - pieces_[first_].begin : 0;
    if (length > shown) {
        return client::set_error(ErrorCode::invalid_argument,
                                 "%llu bytes consumed of %llu that were shown", length, shown);
    }
    if (count_ == 0)
        return ErrorCode::none;
    Piece& piece = pieces_[first_];
    piece.begin += static_cast<std::uint32_t>(length);
    if (piece.begin == piece.end) {
        link_->release(piece.buffer);
        first_ = (first_ + 1) % pieces_.size();
        --count_;
    }
    return ErrorCode::none;
}

ErrorCode Pipe::read(void* data, std::size_t length, std::uint64_t timeout_ns,
                     std::size_t& got) noexcept {
    got = 0;
    if (data == nullptr || length == 0)
        return client::set_error(ErrorCode::invalid_argument, "no place to read to given");
    const void* from = nullptr;
    std::size_t shown = 0;
    // What has come already is read without a further wait.
    for (std::uint64_t wait = timeout_ns; got < length && (got == 0 || count_ != 0); wait = 0) {
        if (const ErrorCode code = peek(from, shown, wait); code != ErrorCode::none)
            return code;
        if (shown == 0)
            break;
        shown = std::min(shown, length - got);
        std::memcpy(static_cast<std::byte*>(data) + got, from, shown);
        got += shown;
        (void)consume(shown);
    }
    return ErrorCode::none;
}

ErrorCode Pipe::shutdown() noexcept {
    if (shut_)
        return ErrorCode::none;
    take_all();
    if (link_->ended() || port_->ended())
        return ended("the other end of the pipe has gone");
    if (!link_->greeted())
        return client::set_error(ErrorCode::again, "the pipe is not connected yet");
    const ErrorCode code = link_->control(0, 0, 0);
    shut_ = code == ErrorCode::none;
    return code;
}

Result<std::unique_ptr<PipeListener>> PipeListener::open(
    const std::shared_ptr<client::Partition>& partition, const std::string& service,
    const Terms& terms) {
    CW_TRY_ASSIGN(auto port, Port::open(partition, terms.wait, Doors::listens));
    constexpr std::uint32_t kBacklog = 64;
    CW_TRY_ASSIGN(client::Listener listener,
                  client::Listener::create(partition, service, kBacklog));
    return std::unique_ptr<PipeListener>(
        new PipeListener(std::move(port), std::move(listener), terms));
}

// Whoever waits longest; null: nobody does.
Result<std::unique_ptr<Pipe>> PipeListener::try_accept() {
    if (port_->partition()->adapter().standing() == client::Standing::away)
        return nullptr;  // it would be waited for; its return knocks again
    if (!spare_) {
        CW_TRY_ASSIGN(auto pipe, Pipe::create(port_->partition(), terms_));
        CW_TRY(pipe->link().prepare());
        spare_ = std::move(pipe);
    }
    auto accepted = listener_.accept(spare_->link().pair(), 0);
    if (!accepted.has_value() && accepted.error().code == ErrorCode::again)
        return nullptr;
    std::unique_ptr<Pipe> pipe = std::move(spare_);
    CW_TRY(std::move(accepted));
    CW_TRY(pipe->link().welcome());
    return pipe;
}

Result<std::unique_ptr<Pipe>> PipeListener::accept(std::uint64_t timeout_ns) {
    std::uint64_t until = 0;
    for (;;) {
        (void)port_->knocked();
        CW_TRY_ASSIGN(auto pipe, try_accept());
        if (pipe)
            return pipe;
        if (timeout_ns == 0) {
            port_->settle(Port::Worth::nothing);
            return fail(ErrorCode::again, "nobody connects now");
        }
        if (until == 0)
            until = moment_in(timeout_ns);
        if (port_->wait(until) == Port::Woken::timed_out) {
            port_->settle(Port::Worth::nothing);
            return fail_format(ErrorCode::timed_out, "nobody connected within %llu ms",
                               static_cast<unsigned long long>(timeout_ns / 1'000'000));
        }
    }
}

}  // namespace causeway::ipc::inner
