// Resuming, spoken by hand: what comes back under its old numbers, and who does not get what is
// another's.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "support/holder.hpp"
#include "support/in_process_adapter.hpp"
#include "support/mortal.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

class Resume : public testing::Test {
protected:
    Resume() { start(); }
    void start(std::chrono::nanoseconds patience = 60s) {
        adapter_.reset();
        adapter_.emplace([&](adapter::ServerOptions& options) {
            options.runtime_directory = directory_.path();
            options.fabric.resume_patience_ns = static_cast<std::uint64_t>(patience.count());
        });
    }
    [[nodiscard]] std::string socket(const std::string& entrance = "") const {
        return directory_.path() + (entrance.empty() ? "" : "/" + entrance) + "/fabric.sock";
    }
    template<typename Row>
    std::vector<Row> rows(RawSession& session, abi::StatsKind kind) {
        const auto reply = session.client.call(stats_request(kind)).value();
        return control::parse_rows<Row>(reply.bytes).value().rows;
    }
    static void connect(Holder& from, Holder& to) {
        const std::uint32_t listener = to.session.listen("service");
        ASSERT_TRUE(from.session.client
                        .call(connect_request(from.pair.queue_pair,
                                              to.session.attached.name + std::string("/service")))
                        ->ok());
        ASSERT_TRUE(to.session.client.call(accept_request(listener, to.pair.queue_pair))->ok());
    }
    static ErrorCode attach_error(const std::string& socket, const abi::AttachRequest& request) {
        RawClient client(socket);
        return client.call(request)->code();
    }

    TempDirectory directory_;
    std::optional<InProcessAdapter> adapter_;
};

TEST_F(Resume, BringsEverythingBackUnderItsOldNumbers) {
    Holder a(socket(), "orders");
    Holder b(socket(), "billing");
    connect(a, b);
    ASSERT_TRUE(eventually([&] { return a.state() == abi::QueuePairState::connected; }));
    start();
    EXPECT_EQ(a.come_back(socket()), "");
    EXPECT_EQ(a.back->attached.session, a.session.attached.session);
    EXPECT_STREQ(a.back->attached.name, "orders");
    EXPECT_EQ(a.state(), abi::QueuePairState::connected) << "its peer may still come";
    EXPECT_EQ(b.come_back(socket()), "");
    const auto regions = rows<abi::RegionRow>(*b.back, abi::StatsKind::regions);
    ASSERT_EQ(regions.size(), 2u);
    EXPECT_EQ(regions[0].handle, a.region.handle);
    EXPECT_EQ(regions[0].network_id, a.region.network_id);
    const auto pairs = rows<abi::QueuePairRow>(*b.back, abi::StatsKind::queue_pairs);
    ASSERT_EQ(pairs.size(), 2u);
    EXPECT_EQ(pairs[0].id, a.pair.queue_pair);
    EXPECT_EQ(pairs[0].peer_id, b.pair.queue_pair);
    EXPECT_STREQ(pairs[0].peer, "billing");
    EXPECT_STREQ(pairs[1].service, "service");
    // New things get new numbers.
    Holder c(socket(), "third");
    EXPECT_NE(c.pair.queue_pair, a.pair.queue_pair);
    EXPECT_NE(c.pair.queue_pair, b.pair.queue_pair);
    EXPECT_GT(c.session.attached.session, b.session.attached.session);
    EXPECT_NE(c.region.network_id, a.region.network_id);
    // And it goes on as ever: a second time, too.
    start();
    EXPECT_EQ(b.come_back(socket()), "");
    EXPECT_EQ(a.come_back(socket()), "");
    EXPECT_TRUE(b.back->client.call(disconnect_request(b.pair.queue_pair)).value().ok());
    EXPECT_TRUE(eventually([&] { return a.state() == abi::QueuePairState::closed; }));
}

TEST_F(Resume, TakesNothingThatTheJournalDoesNotKnow) {
    Holder a(socket(), "orders");
    Holder other(socket(), "other");
    start();
    a.attach_again(socket());
    other.attach_again(socket());
    // Everything in its turn.
    EXPECT_EQ(a.back->client.call(listen_request("more"))->code(), ErrorCode::wrong_state);
    EXPECT_EQ(a.hand_over_pair(a.pair.queue_pair, a.pair_memory.get()).code(), ErrorCode::not_found)
        << "before its doorbells";
    // Another's file under one's own number, one's own under another's.
    std::swap(a.bells[0].second, other.bells[0].second);
    EXPECT_EQ(a.hand_over_bell(0).code(), ErrorCode::denied);
    std::swap(a.bells[0].second, other.bells[0].second);
    const platform::UniqueFd fresh = region_file(Holder::kSize);
    EXPECT_EQ(a.hand_over_region(fresh.get()).code(), ErrorCode::denied);
    EXPECT_EQ(a.hand_over_region(other.region_memory.get()).code(), ErrorCode::denied);
    EXPECT_EQ(a.hand_over_region(-1).code(), ErrorCode::invalid_argument);
    for (std::size_t i = 0; i < a.bells.size(); ++i) {
        ASSERT_TRUE(a.hand_over_bell(i).ok());
        EXPECT_EQ(a.hand_over_bell(i).code(), ErrorCode::not_found) << "once each";
    }
    EXPECT_EQ(a.hand_over_pair(other.pair.queue_pair, other.pair_memory.get()).code(),
              ErrorCode::not_found);
    EXPECT_EQ(a.hand_over_pair(a.pair.queue_pair, other.pair_memory.get()).code(),
              ErrorCode::denied);
    EXPECT_EQ(a.hand_over_pair(a.pair.queue_pair, a.region_memory.get()).code(), ErrorCode::denied);
    ++a.region.generation;
    EXPECT_EQ(a.hand_over_region(a.region_memory.get()).code(), ErrorCode::not_found);
    --a.region.generation;
    EXPECT_TRUE(a.hand_over_region(a.region_memory.get()).ok());
    EXPECT_EQ(a.hand_over_region(a.region_memory.get()).code(), ErrorCode::not_found);
    EXPECT_TRUE(a.hand_over_pair(a.pair.queue_pair, a.pair_memory.get()).ok());
    EXPECT_TRUE(a.done().ok());
    EXPECT_EQ(a.done().code(), ErrorCode::wrong_state);
    EXPECT_TRUE(a.back->client.call(listen_request("more"))->ok());
}

TEST_F(Resume, NobodyElseGetsASession) {
    Holder a(socket(), "orders");
    Holder named(socket("a"), "");
    start();
    auto request = a.resume_request();
    request.token[3] ^= 1;
    EXPECT_EQ(attach_error(socket(), request), ErrorCode::denied);
    EXPECT_EQ(attach_error(socket("b"), a.resume_request()), ErrorCode::denied);
    EXPECT_EQ(attach_error(socket(), named.resume_request()), ErrorCode::denied);
    request = a.resume_request();
    request.session = 4711;
    EXPECT_EQ(attach_error(socket(), request), ErrorCode::not_found);
    request = a.resume_request();
    request.flags |= abi::attach_flag::kObserver;
    EXPECT_EQ(attach_error(socket(), request), ErrorCode::invalid_argument);
    // Nor its name: who wants it waits until it is free.
    int taken[2];
    ASSERT_EQ(::pipe(taken), 0);
    const Mortal squatter([&] {
        RawClient client(socket());
        const char asked = client.send(control::bytes_of(attach_request("orders"))) ? 1 : 0;
        while (!client.taken())
            std::this_thread::yield();
        (void)!::write(taken[1], &asked, 1);
        (void)client.receive();
    });
    char asked = 0;
    ASSERT_EQ(::read(taken[0], &asked, 1), 1);
    ASSERT_EQ(asked, 1);
    EXPECT_EQ(a.come_back(socket()), "");
    EXPECT_EQ(attach_error(socket(), a.resume_request()), ErrorCode::not_found) << "it is back";
    EXPECT_EQ(named.come_back(socket("a")), "");
    const auto found = rows<abi::PartitionRow>(*a.back, abi::StatsKind::partitions);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].session, a.session.attached.session);
    for (const int fd : taken)
        ::close(fd);
}

TEST_F(Resume, WhatIsNotHandedOverIsForgotten) {
    Holder a(socket(), "orders");
    Holder b(socket(), "billing");
    connect(a, b);
    start();
    EXPECT_EQ(a.come_back(socket()), "");
    b.attach_again(socket());
    ASSERT_TRUE(b.hand_over_bell(0).ok());
    ASSERT_TRUE(b.done().ok());
    EXPECT_TRUE(eventually([&] { return a.state() == abi::QueuePairState::closed; }));
    const auto regions = rows<abi::RegionRow>(*b.back, abi::StatsKind::regions);
    EXPECT_EQ(regions.size(), 1u);
    start();
    EXPECT_EQ(a.come_back(socket()), "");
    EXPECT_EQ(a.state(), abi::QueuePairState::closed) << "and stays so";
}

TEST_F(Resume, WhoStaysAwayIsTimedOutAlone) {
    Holder a(socket(), "orders");
    Holder b(socket(), "billing");
    Holder c(socket(), "calls");
    connect(a, b);
    start(300ms);
    EXPECT_EQ(c.come_back(socket()), "");
    EXPECT_EQ(a.come_back(socket()), "");
    EXPECT_TRUE(eventually([&] { return a.state() == abi::QueuePairState::closed; }));
    EXPECT_EQ(c.state(), abi::QueuePairState::idle);
    EXPECT_EQ(attach_error(socket(), b.resume_request()), ErrorCode::not_found);
    RawSession again(socket(), "billing");
    EXPECT_STREQ(again.attached.name, "billing");
}

TEST_F(Resume, WhoAttachesAndDoesNotFinishIsShownOut) {
    Holder a(socket(), "orders");
    start(200ms);
    a.attach_again(socket());
    EXPECT_TRUE(eventually([&] { return a.back->client.closed(); }));
}

TEST_F(Resume, TheDeadAreNotWaitedFor) {
    Holder a(socket(), "orders");
    // In a process of its own, which ends while there is no adapter.
    int ready[2];
    int go[2];
    ASSERT_EQ(::pipe(ready), 0);
    ASSERT_EQ(::pipe(go), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const RawSession session(socket(), "mortal");
        char byte = 0;
        (void)!::write(ready[1], &byte, 1);
        (void)!::read(go[0], &byte, 1);
        ::_exit(0);
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    adapter_.reset();
    ASSERT_EQ(::write(go[1], &byte, 1), 1);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    start();
    EXPECT_EQ(RawSession(socket(), "mortal").attached.session > a.session.attached.session, true)
        << "the name is free at once";
    EXPECT_EQ(a.come_back(socket()), "");
    for (int fd : {ready[0], ready[1], go[0], go[1]})
        ::close(fd);
}

TEST_F(Resume, WithoutPatienceThereIsNoJournal) {
    start(0ns);
    Holder a(socket(), "orders");
    EXPECT_TRUE(std::all_of(std::begin(a.session.attached.token),
                            std::end(a.session.attached.token), [](auto b) { return b == 0; }));
    start(60s);
    EXPECT_EQ(attach_error(socket(), a.resume_request()), ErrorCode::not_found);
}

TEST_F(Resume, WhoWaitedAtAListenerWaitsAgain) {
    Holder a(socket(), "orders");
    Holder b(socket(), "billing");
    const std::uint32_t listener = b.session.listen("service");
    const auto connect = connect_request(a.pair.queue_pair, "billing/service");
    ASSERT_TRUE(a.session.client.call(connect)->ok());
    start();
    EXPECT_EQ(b.come_back(socket()), "");
    EXPECT_EQ(a.come_back(socket()), "");
    EXPECT_TRUE(a.back->client.call(connect)->ok()) << "the answer may not have come";
    EXPECT_EQ(a.back->client.call(connect)->code(), ErrorCode::wrong_state) << "once";
    const auto accepting = accept_request(listener, b.pair.queue_pair);
    EXPECT_TRUE(b.back->client.call(accepting)->ok());
    EXPECT_TRUE(eventually([&] { return a.state() == abi::QueuePairState::connected; }));
    start();
    EXPECT_EQ(a.come_back(socket()), "");
    EXPECT_EQ(b.come_back(socket()), "");
    const auto repeated = b.back->client.call(accepting);
    ASSERT_TRUE(repeated->ok()) << repeated->text();
    EXPECT_STREQ(repeated->as<abi::AcceptReply>().peer, "orders");
}

TEST_F(Resume, AListenerThatWasNotToldOfIsToldOf) {
    Holder a(socket(), "orders");
    const std::uint32_t listener = a.session.listen("service");
    start();
    EXPECT_EQ(a.come_back(socket()), "");
    EXPECT_EQ(a.back->listen("service"), listener);
    EXPECT_EQ(a.back->client.call(listen_request("service"))->code(), ErrorCode::name_in_use);
}

}  // namespace
}  // namespace causeway::test
