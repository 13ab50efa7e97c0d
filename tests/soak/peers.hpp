// The two partitions of a soak's pair: one sends a stream of messages of every kind, the other one
// looks at every byte and acknowledges. Each lives in a process of its own and may be killed,
// stopped, or outlive the other at any moment.
//
// Threading: each one's process has one thread; they and the test share a Chapter.
#pragma once

#include <atomic>
#include <causeway/causeway.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "support/message.hpp"

namespace causeway::test {

// What a pair has come to, in memory that all three share. Messages are counted.
struct Chapter {
    std::atomic<std::uint64_t> completed;     // the sender was told that it is done
    std::atomic<std::uint64_t> acknowledged;  // ... that its bytes were seen
    std::atomic<std::uint64_t> verified;      // the receiver has seen its bytes
    std::atomic<std::uint64_t> bytes;         // of them
    std::atomic<std::uint64_t> total;         // the sender is through; 0: not yet
    std::atomic<bool> finish;                 // it is to end after the next message
    std::atomic<bool> mourned;                // one of them is dead, or will be at once
    std::atomic<bool> complained;
    char complaint[256];
};

struct PairPlan {
    std::uint64_t number;
    std::string socket;
    const char* executor;
    Wait how;
};

class SoakPeer {
public:
    SoakPeer(const PairPlan& plan, Chapter& chapter) : plan_(plan), chapter_(chapter) {}

protected:
    static constexpr std::uint32_t kWindow = 16;    // messages that are not acknowledged yet
    static constexpr std::uint32_t kReceives = 32;  // of either side
    static constexpr std::size_t kLog = 8 << 20;
    static constexpr std::chrono::seconds kLong{30};

    // Where the receiver wants what.
    struct Places {
        Remote window;
        Remote log;
    };

    // Is it worth going on? Only a dead peer is no reason for a complaint.
    bool complain(const std::string& text) {
        if (!chapter_.mourned && !chapter_.complained.exchange(true))
            std::snprintf(chapter_.complaint, sizeof chapter_.complaint, "pair %llu (%s): %s",
                          static_cast<unsigned long long>(plan_.number), plan_.executor,
                          text.c_str());
        return false;
    }
    // Until the adapter is there, and the peer.
    template<typename F>
    bool persist(const char* what, F&& attempt) {
        const auto until = std::chrono::steady_clock::now() + kLong;
        for (;;) {
            const auto done = attempt();
            if (done)
                return true;
            if (is_unmade(done.error().code == ErrorCode::peer_gone))
                return false;
            if (chapter_.mourned || std::chrono::steady_clock::now() > until)
                return complain(std::string(what) + ": " + done.error().text);
        }
    }
    [[nodiscard]] std::string name(char side) const {
        return std::string(1, side) + std::to_string(plan_.number);
    }
    bool attach(char side) {
        return persist("attach", [&]() -> Result<void> {
            auto attached = Partition::attach(name(side), {plan_.socket, kLong});
            if (!attached)
                return tl::unexpected(attached.error());
            partition_ = std::move(*attached);
            return {};
        });
    }
    bool open(std::size_t bytes) {
        auto memory = partition_.allocate(bytes, Access::exportable | Access::remote_write);
        if (!memory)
            return complain("allocate: " + memory.error().text);
        memory_ = std::move(*memory);
        auto queue = partition_.create_completion_queue(256);
        if (!queue)
            return complain("completion queue: " + queue.error().text);
        queue_ = std::move(*queue);
        QueuePairOptions options{.completions = queue_};
        options.send_entries = 64;
        options.receive_entries = kReceives;
        options.executor = plan_.executor;
        auto pair = partition_.create_queue_pair(options);
        if (!pair)
            return complain("queue pair: " + pair.error().text);
        pair_ = std::move(*pair);
        return true;
    }
    template<typename T>
    bool posted(const T& result, const char* what) {
        if (result)
            return true;
        if (is_unmade(result.error().code == ErrorCode::peer_gone))
            return false;
        return complain(std::string(what) + ": " + result.error().text);
    }
    // A direct connection that is still being made ends where the adapter dies (docs/failure.md).
    bool is_unmade(bool ended) {
        const bool unmade = ended && std::string_view(plan_.executor) == "direct" &&
                            chapter_.completed == 0 && chapter_.verified == 0;
        if (unmade)
            chapter_.mourned = true;
        return unmade;
    }
    // May the stream go on after this completion?
    bool fine(const Completion& done) {
        if (done.ok())
            return true;
        if (is_unmade(done.status() == Status::peer_gone || done.status() == Status::flushed))
            return false;
        return complain("a descriptor ended with " + std::string(causeway::name(done.status())));
    }
    // Both sides know which of the first messages were appended, and so where.
    [[nodiscard]] Message message(std::uint64_t n) const {
        Message m(plan_.number, n);
        const bool log = std::string_view(plan_.executor) == "adapter";
        if (m.kind == Message::Kind::append && (!log || appended_ + m.length > kLog))
            m.kind = Message::Kind::send;
        return m;
    }

    const PairPlan plan_;
    Chapter& chapter_;
    Partition partition_;
    Region memory_;
    CompletionQueue queue_;
    QueuePair pair_;
    std::uint64_t appended_ = 0;  // bytes, up to the next message
};

class SoakSender : SoakPeer {
public:
    using SoakPeer::SoakPeer;

    void live() {
        if (!attach('s') || !open((kWindow + 1) * std::size_t{Message::kLargest}) || !meet())
            return;
        std::uint64_t n = 0;
        bool last = false;
        while (!last || chapter_.acknowledged < n) {
            while (!last && n - chapter_.acknowledged < kWindow &&
                   n - chapter_.completed < kWindow) {
                const Message m = message(n);
                if (!post(m))
                    return;
                ++n;
                // What is appended is acknowledged with what follows.
                last = chapter_.finish && m.kind != Message::Kind::append;
            }
            if (!take())
                return;
        }
        chapter_.total = n;
    }

private:
    [[nodiscard]] std::size_t answers() const { return kWindow * std::size_t{Message::kLargest}; }
    bool await_answer(std::uint64_t id) {
        return posted(
            pair_.post_receive(
                memory_.slice(answers() + id % kReceives * sizeof(Places), sizeof(Places)), id),
            "post_receive");
    }
    // Connects, and is told where the receiver wants what.
    bool meet() {
        for (answers_ = 0; answers_ < kReceives; ++answers_) {
            if (!await_answer(answers_))
                return false;
        }
        const std::string target = name('r') + "/door";
        return persist("connect", [&] { return pair_.connect(target, std::chrono::seconds(1)); });
    }
    bool post(const Message& m) {
        const std::size_t at = m.number % kWindow * Message::kLargest;
        m.fill(memory_.data() + at);
        const Slice slice = memory_.slice(at, m.length);
        // Where they go is told first of all.
        while (!introduced_ && take()) {}
        if (!introduced_)
            return false;
        switch (m.kind) {
            case Message::Kind::append:
                appended_ += m.length;
                return posted(pair_.post_append(slice, places_.log, m.number), "post_append");
            case Message::Kind::write: {
                Remote to = places_.window;
                to.address += m.number % kReceives * Message::kLargest;
                return posted(pair_.post_write(slice, to, m.number,
                                               Immediate{static_cast<std::uint32_t>(m.number)}),
                              "post_write");
            }
            case Message::Kind::send:
                break;
        }
        return posted(pair_.post_send(slice, m.number), "post_send");
    }
    bool take() {
        const CompletionBatch batch = queue_.wait(kLong, plan_.how);
        if (batch.empty())
            return complain("nothing comes: " + std::string(causeway::name(batch.error())));
        for (const Completion& done : batch) {
            if (!fine(done))
                return false;
            if (done.opcode() != Opcode::receive) {
                if (done.id() != chapter_.completed)
                    return complain("message " + std::to_string(done.id()) + " ended out of turn");
                ++chapter_.completed;
            } else if (!hear(done)) {
                return false;
            }
        }
        return true;
    }
    bool hear(const Completion& done) {
        const std::byte* const at =
            memory_.data() + answers() + done.id() % kReceives * sizeof(Places);
        if (!std::exchange(introduced_, true)) {
            std::memcpy(&places_, at, sizeof places_);
        } else {
            std::uint64_t count = 0;
            std::memcpy(&count, at, sizeof count);
            if (count <= chapter_.acknowledged)
                return complain("acknowledged twice: " + std::to_string(count));
            chapter_.acknowledged = count;
        }
        return await_answer(answers_++);
    }

    std::uint64_t answers_ = 0;
    bool introduced_ = false;
    Places places_{};
};

class SoakReceiver : SoakPeer {
public:
    using SoakPeer::SoakPeer;

    void live() {
        constexpr std::size_t stretch = kReceives * std::size_t{Message::kLargest};
        if (!attach('r') || !open(2 * stretch + 4096))
            return;
        auto log = partition_.allocate(kLog, Access::append | Access::remote_write);
        if (!log) {
            complain("allocate: " + log.error().text);
            return;
        }
        log_ = std::move(*log);
        for (std::uint64_t id = 0; id < kReceives; ++id) {
            if (!await(id))
                return;
        }
        Listener door;
        const bool met =
            persist("listen",
                    [&]() -> Result<void> {
                        auto listener = partition_.listen("door");
                        if (!listener)
                            return tl::unexpected(listener.error());
                        door = std::move(*listener);
                        return {};
                    }) &&
            persist("accept", [&] { return door.accept(pair_, std::chrono::seconds(1)); });
        const Places places{memory_.remote(stretch), log_.remote()};
        if (!met || !answer(&places, sizeof places))
            return;
        while (take()) {}
    }

private:
    bool await(std::uint64_t id) {
        return posted(pair_.post_receive(
                          memory_.slice(id % kReceives * Message::kLargest, Message::kLargest), id),
                      "post_receive");
    }
    // False: it is over.
    bool take() {
        const CompletionBatch batch = queue_.wait(kLong, plan_.how);
        if (batch.empty())
            return complain("nothing comes: " + std::string(causeway::name(batch.error())));
        for (const Completion& done : batch) {
            if (!done.ok() && chapter_.total != 0) {
                return chapter_.total == chapter_.verified ? false
                                                           : complain("the stream ends early");
            }
            if (!fine(done))
                return false;
            if (done.opcode() != Opcode::send && !receive(done))
                return false;
        }
        return true;
    }
    bool receive(const Completion& done) {
        if (done.id() != received_)
            return complain("receive " + std::to_string(done.id()) + " out of turn");
        for (; message(next_).kind == Message::Kind::append; ++next_) {
            const Message m = message(next_);
            if (!see(m, log_.data() + appended_))
                return false;
            appended_ += m.length;
        }
        const Message m = message(next_);
        const std::byte* at = memory_.data() + received_ % kReceives * Message::kLargest;
        if (m.kind == Message::Kind::write)
            at = memory_.data() +
                 (kReceives + m.number % kReceives) * std::size_t{Message::kLargest};
        if (done.length() != m.length || !see(m, at))
            return complain("message " + std::to_string(m.number) + " of " +
                            std::to_string(m.length) + " bytes came with " +
                            std::to_string(done.length()));
        ++next_;
        ++received_;
        return await(received_ + kReceives - 1) && answer(&next_, sizeof next_);
    }
    bool see(const Message& m, const std::byte* at) {
        if (!m.stands_at(at))
            return complain("wrong bytes in message " + std::to_string(m.number));
        ++chapter_.verified;
        chapter_.bytes += m.length;
        return true;
    }
    bool answer(const void* what, std::uint32_t size) {
        const std::size_t at =
            2 * kReceives * std::size_t{Message::kLargest} + answered_ % kReceives * sizeof(Places);
        std::memcpy(memory_.data() + at, what, size);
        return posted(pair_.post_send(memory_.slice(at, size), answered_++), "answer");
    }

    Region log_;
    std::uint64_t next_ = 0;      // message
    std::uint64_t received_ = 0;  // those of them that take a receive
    std::uint64_t answered_ = 0;
};

}  // namespace causeway::test
