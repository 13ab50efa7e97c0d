#include "pipe/session.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace causeway::pipe {
namespace {

using namespace std::chrono_literals;

constexpr int kTick = 200;           // ms: progress, and a second look at everything
constexpr auto kConnectLimit = 10s;  // until the listener must have accepted
constexpr auto kRetryEvery = 50ms;
constexpr auto kFarewellLimit = 500ms;                 // for the last word before giving up
constexpr std::size_t kNotesAt = 2 * kDepth * kChunk;  // where Messages are written
constexpr std::size_t kRegionBytes = kNotesAt + 4096;

}  // namespace

Session::Session(Partition& partition, const Streams& streams, Progress& progress)
    : partition_(partition),
      streams_(streams),
      progress_(progress),
      reader_(streams.input, inbox_),
      writer_(streams.output, inbox_) {}

Result<void> Session::open() {
    CW_TRY(inbox_.open());
    CW_TRY_ASSIGN(queue_, partition_.create_completion_queue(8 * kDepth));
    CW_TRY_ASSIGN(pair_, partition_.create_queue_pair({.completions = queue_,
                                                       .send_entries = 4 * kDepth,
                                                       .receive_entries = 2 * kDepth}));
    CW_TRY_ASSIGN(region_, partition_.allocate(kRegionBytes));
    for (std::uint32_t slot = kDepth; slot < kSlots; ++slot)
        CW_TRY(post_receive(slot));
    return {};
}

Result<void> Session::accept(Listener& listener) {
    CW_TRY(open());
    Result<void> accepted;
    do {
        accepted = listener.accept(pair_, 1h);
    } while (!accepted.has_value() && accepted.error().code == ErrorCode::timed_out);
    CW_TRY(accepted);
    peer_ = pair_.peer();
    return {};
}

Result<void> Session::connect(const std::string& target, std::chrono::nanoseconds retry) {
    CW_TRY(open());
    const auto deadline = std::chrono::steady_clock::now() + retry;
    while (true) {
        const auto connected = pair_.connect(target, kConnectLimit);
        if (connected.has_value())
            break;
        // Nobody there yet: as long as the caller wants to wait for that.
        if (connected.error().code != ErrorCode::not_found ||
            std::chrono::steady_clock::now() >= deadline)
            return connected;
        std::this_thread::sleep_for(kRetryEvery);
    }
    peer_ = pair_.peer();
    return {};
}

Handed Session::buffer(std::uint32_t slot, std::size_t length) const {
    return {slot, region_.bytes().subspan(slot * kChunk, length)};
}

// To a peer that has gone already nothing needs to be posted; what it sent still stands in the
// queue.
Result<void> Session::post_receive(std::uint32_t slot) {
    auto posted = pair_.post_receive(region_.slice(slot * kChunk, kChunk), slot);
    if (!posted.has_value() && posted.error().code == ErrorCode::peer_gone)
        return {};
    return posted;
}

// A Message is copied while it is posted (it is small), so they all may use one place.
Result<void> Session::say(Message message, const void* content, std::size_t size) {
    const Slice slice = region_.slice(kNotesAt, static_cast<std::uint32_t>(size));
    if (size > 0)
        std::memcpy(slice.data(), content, size);
    const auto kind = static_cast<std::uint32_t>(message);
    auto posted =
        pair_.post_send(std::span(&slice, size > 0 ? 1 : 0), kNote + kind, Immediate{kind});
    if (!posted.has_value() && posted.error().code == ErrorCode::peer_gone)
        return peer_lost();
    return posted;
}

Result<void> Session::run() {
    writer_.start();
    auto result = move_all();
    if (!result.has_value())
        write_what_came();
    pair_.close();
    progress_.finish();
    return result;
}

// After a failure: whatever stands in the queue or at the writer goes out before the error is told.
void Session::write_what_came() {
    for (CompletionBatch batch = queue_.poll(); !batch.empty(); batch = queue_.poll()) {
        for (const Completion& completion : batch) {
            const auto slot = static_cast<std::uint32_t>(completion.id());
            const bool piece = completion.ok() && completion.id() < kNote && slot >= kDepth &&
                               !completion.immediate().has_value();
            if (piece && incoming_ == Incoming::open)
                (void)on_piece(slot, completion.length());
        }
    }
    while (writing_ > 0) {
        if (returned_.empty()) {
            pollfd waiting{inbox_.fd(), POLLIN, 0};
            ::poll(&waiting, 1, kTick);
            collect_returned();
        }
        for (; !returned_.empty(); returned_.pop_front()) {
            if (returned_.front().from == Returned::From::writer) {
                --writing_;
                progress_.received(returned_.front().length);
            }
        }
    }
}

void Session::collect_returned() {
    const auto items = inbox_.take();
    returned_.insert(returned_.end(), items.begin(), items.end());
}

Result<void> Session::take_returned() {
    collect_returned();
    while (!returned_.empty()) {
        const Returned item = returned_.front();
        returned_.pop_front();
        CW_TRY(item.from == Returned::From::reader ? on_read(item) : on_written(item));
    }
    return {};
}

Result<void> Session::move_all() {
    const Hello hello{kMagic, kVersion, 0, kChunk, 0};
    CW_TRY(say(Message::hello, &hello, sizeof hello));
    while (!finished()) {
        CW_TRY(take_completions());
        CW_TRY(take_returned());
        if (!finished())
            CW_TRY(wait());
        progress_.tick();
    }
    return {};
}

Result<void> Session::wait() {
    if (queue_.arm())
        return {};
    std::array<pollfd, 3> waiting{
        {{queue_.fd(), POLLIN, 0}, {inbox_.fd(), POLLIN, 0}, {partition_.event_fd(), POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), kTick) < 0 && errno != EINTR)
        return fail_errno("poll", errno);
    if (waiting[2].revents != 0)
        return partition_.process_events();
    return {};
}

Result<void> Session::take_completions() {
    while (true) {
        // Looked at first: of an ended queue pair everything stands in the queue by then.
        const bool ended = pair_.state() == QueuePair::State::closed;
        const CompletionBatch batch = queue_.poll();
        if (batch.error() != ErrorCode::none)
            return detail::last_error(static_cast<int>(batch.error()));
        if (batch.empty())
            return ended ? peer_lost() : Result<void>();
        for (const Completion& completion : batch) {
            CW_TRY(on_completion(completion));
            if (finished())
                return {};
        }
    }
}

Result<void> Session::on_completion(const Completion& completion) {
    const std::uint64_t id = completion.id();
    const auto slot = static_cast<std::uint32_t>(id);
    const bool told_done = id == kNote + static_cast<std::uint32_t>(Message::done);
    // The peer may leave as soon as it has our done and we have its: then ours may look failed.
    if (!completion.ok() && !(told_done && outgoing_ == Outgoing::confirmed))
        return completion.status() == Status::peer_gone || completion.status() == Status::flushed
                   ? peer_lost()
                   : fail(ErrorCode::system, fmt::format("a transfer with {} ended with {}", peer_,
                                                         name(completion.status())));
    if (told_done) {
        incoming_ = Incoming::told;
        return {};
    }
    if (id >= kNote)
        return {};
    return slot < kDepth ? on_sent(slot) : on_arrival(slot, completion);
}

Result<void> Session::on_sent(std::uint32_t slot) {
    reader_.fill(buffer(slot, chunk_));
    return {};
}

Result<void> Session::on_arrival(std::uint32_t slot, const Completion& completion) {
    const auto immediate = completion.immediate();
    if (!immediate.has_value())
        return on_piece(slot, completion.length());
    switch (static_cast<Message>(*immediate)) {
        case Message::hello:
            CW_TRY(on_hello(slot, completion.length()));
            break;
        case Message::end:
            CW_TRY(on_end());
            break;
        case Message::done:
            outgoing_ = Outgoing::confirmed;
            break;
        case Message::failed: {
            std::uint32_t failure = 0;
            std::memcpy(&failure, buffer(slot, sizeof failure).bytes.data(), sizeof failure);
            return fail(ErrorCode::peer_gone,
                        static_cast<Failure>(failure) == Failure::output
                            ? fmt::format("{} could not write to its output any more", peer_)
                            : fmt::format("{} could not read its input to the end", peer_));
        }
        default:
            return fail(
                ErrorCode::protocol,
                fmt::format("{} sent a message of the unknown kind {}: is it `causeway pipe` "
                            "of another release?",
                            peer_, *immediate));
    }
    return post_receive(slot);
}

Result<void> Session::on_hello(std::uint32_t slot, std::uint32_t length) {
    Hello hello{};
    std::memcpy(&hello, buffer(slot, sizeof hello).bytes.data(),
                std::min<std::size_t>(length, sizeof hello));
    if (greeted_ || hello.magic != kMagic || hello.version != kVersion || hello.chunk == 0)
        return fail(ErrorCode::version,
                    fmt::format("{} does not speak version {} of the pipe's protocol: use the same "
                                "release of causeway on both sides",
                                peer_, kVersion));
    greeted_ = true;
    chunk_ = std::min<std::size_t>(kChunk, hello.chunk);
    if (streams_.input < 0)
        return send_end();
    reader_.start();
    for (std::uint32_t each = 0; each < kDepth; ++each)
        reader_.fill(buffer(each, chunk_));
    return {};
}

Result<void> Session::on_piece(std::uint32_t slot, std::uint32_t length) {
    if (!greeted_ || incoming_ != Incoming::open)
        return fail(ErrorCode::protocol,
                    fmt::format("{} sent data {}: is it `causeway pipe`?", peer_,
                                greeted_ ? "after its end mark" : "without a greeting"));
    ++writing_;
    writer_.write(buffer(slot, length));
    return {};
}

Result<void> Session::on_end() {
    if (incoming_ != Incoming::open)
        return fail(ErrorCode::protocol, fmt::format("{} ended twice", peer_));
    incoming_ = Incoming::ended;
    if (streams_.input_follows && outgoing_ == Outgoing::open)
        CW_TRY(send_end());
    return finish_incoming();
}

// Everything has come and has been written: tell the peer.
Result<void> Session::finish_incoming() {
    if (incoming_ != Incoming::ended || writing_ > 0)
        return {};
    incoming_ = Incoming::written;
    return say(Message::done);
}

Result<void> Session::send_end() {
    outgoing_ = Outgoing::ended;
    return say(Message::end);
}

Result<void> Session::on_read(const Returned& item) {
    if (outgoing_ != Outgoing::open)
        return {};  // typed after the end
    if (item.error != 0)
        return give_up(Failure::input, ErrorCode::system,
                       fmt::format("standard input cannot be read: {}", errno_text(item.error)));
    if (item.length == 0)
        return send_end();
    progress_.sent(item.length);
    const Slice slice = region_.slice(item.slot * kChunk, static_cast<std::uint32_t>(item.length));
    auto posted = pair_.post_send(slice, item.slot);
    if (!posted.has_value() && posted.error().code == ErrorCode::peer_gone)
        return peer_lost();
    return posted;
}

Result<void> Session::on_written(const Returned& item) {
    --writing_;
    if (item.error != 0)
        return give_up(
            Failure::output, ErrorCode::system,
            item.error == EPIPE
                ? std::string("standard output was closed by whoever read it")
                : fmt::format("standard output cannot be written to: {}", errno_text(item.error)));
    progress_.received(item.length);
    CW_TRY(post_receive(item.slot));
    return finish_incoming();
}

// Tells the peer why, if it still listens.
tl::unexpected<Error> Session::give_up(Failure failure, ErrorCode code, std::string text) {
    const auto number = static_cast<std::uint32_t>(failure);
    if (say(Message::failed, &number, sizeof number).has_value()) {
        const auto deadline = std::chrono::steady_clock::now() + kFarewellLimit;
        bool heard = false;
        while (!heard && std::chrono::steady_clock::now() < deadline) {
            for (const Completion& completion : queue_.wait(kFarewellLimit))
                heard = heard || !completion.ok() ||
                        completion.id() == kNote + static_cast<std::uint32_t>(Message::failed);
        }
    }
    return fail(code, std::move(text));
}

tl::unexpected<Error> Session::peer_lost() const {
    return fail(ErrorCode::peer_gone,
                fmt::format("{} went away before the end, so the transfer is incomplete ({} bytes "
                            "were sent to it, {} bytes came from it)",
                            peer_, progress_.sent(), progress_.received()));
}

}  // namespace causeway::pipe
