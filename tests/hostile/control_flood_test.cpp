// Too much of everything on the control plane: requests without reading replies, connections that
// never attach, a thousand of them at once, no descriptors left, sudden ends.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "support/in_process_adapter.hpp"
#include "support/neighbour.hpp"
#include "support/random.hpp"
#include "support/raw_client.hpp"

namespace causeway {
namespace {

using test::InProcessAdapter;
using test::Neighbours;
using test::RawClient;
using test::RawSession;

class ControlFlood : public testing::Test {
protected:
    void start(const InProcessAdapter::Change& change = nullptr) {
        adapter = std::make_unique<InProcessAdapter>(change);
        neighbours = std::make_unique<Neighbours>(adapter->socket());
        files = test::open_files();
        mappings = test::shared_mappings();
    }
    void expect_baseline() {
        neighbours->exchange();
        EXPECT_TRUE(test::eventually([&] {
            return test::open_files() <= files && test::shared_mappings() <= mappings;
        })) << test::open_files()
            << " descriptors, " << files << " before; " << test::shared_mappings() << " mappings, "
            << mappings << " before";
    }

    std::unique_ptr<InProcessAdapter> adapter;
    std::unique_ptr<Neighbours> neighbours;
    std::size_t files = 0;
    std::size_t mappings = 0;
};

// Sends without ever reading until the adapter has had enough.
bool flood_until_closed(RawClient& client, std::span<const std::byte> request) {
    return test::eventually([&] {
        for (int i = 0; i < 100 && client.send(request); ++i) {}
        return client.closed();
    });
}

TEST_F(ControlFlood, WhoNeverReadsIsShownOut) {
    start();
    RawSession pages(adapter->socket("a"), "a");
    EXPECT_TRUE(flood_until_closed(
        pages.client, control::bytes_of(test::stats_request(abi::StatsKind::adapter))));
    neighbours->exchange();
    RawSession errors(adapter->socket("b"), "b");
    EXPECT_TRUE(flood_until_closed(errors.client, control::bytes_of(test::disconnect_request(77))));
    RawClient unattached(adapter->socket());
    EXPECT_TRUE(flood_until_closed(unattached, control::bytes_of(test::disconnect_request(77))));
    // Replies that carry descriptors: few of them are in flight when the end comes.
    RawSession again(adapter->socket("a"), "a");
    EXPECT_TRUE(flood_until_closed(
        again.client, control::bytes_of(test::doorbell_request(abi::DoorbellKind::completions))));
    for (RawClient* client : {&pages.client, &errors.client, &unattached, &again.client})
        client->close();
    expect_baseline();
}

TEST_F(ControlFlood, ConnectionsThatDoNotAttachAreDroppedInTime) {
    start([](adapter::ServerOptions& options) {
        options.attach_patience_ns = 100'000'000;
        options.max_unattached = 8;
    });
    std::vector<RawClient> idle;
    for (int i = 0; i < 5; ++i)
        idle.emplace_back(adapter->socket());
    RawSession attached(adapter->socket("a"), "a");
    EXPECT_TRUE(test::eventually([&] {
        return std::all_of(idle.begin(), idle.end(), [](const auto& c) { return c.closed(); });
    }));
    EXPECT_FALSE(attached.client.closed()) << "whoever has attached stays";
    attached.client.close();
    idle.clear();
    expect_baseline();
}

TEST_F(ControlFlood, AThousandConnectionsCostTheirEntranceOnly) {
    start([](adapter::ServerOptions& options) {
        options.attach_patience_ns = 600'000'000'000;
        options.max_unattached = 64;
    });
    std::vector<RawClient> crowd;
    for (int i = 0; i < 1000; ++i) {
        crowd.emplace_back(adapter->socket("a"));
        if (i % 100 == 0)
            neighbours->exchange();
    }
    const auto living = [&] {
        return std::count_if(crowd.begin(), crowd.end(), [](const auto& c) { return !c.closed(); });
    };
    EXPECT_TRUE(test::eventually([&] { return living() == 64; })) << living();
    // The latest can attach still, and so can others elsewhere.
    EXPECT_TRUE(crowd.back().call(test::attach_request(""))->ok());
    EXPECT_NO_THROW(RawSession(adapter->socket("b"), "b"));
    EXPECT_NO_THROW(RawSession(adapter->socket(), "c"));
    crowd.clear();
    expect_baseline();
}

TEST_F(ControlFlood, AThousandPartitionsAreServed) {
    start();
    std::vector<std::unique_ptr<RawSession>> crowd;
    for (int i = 0; i < 1000; ++i) {
        crowd.push_back(std::make_unique<RawSession>(adapter->socket(), "p" + std::to_string(i)));
        if (i % 100 == 0) {
            crowd.back()->listen("service");
            neighbours->exchange();
        }
    }
    crowd.clear();
    expect_baseline();
}

// The limit is this whole process's, so the test's own descriptors count as well.
TEST_F(ControlFlood, WithoutDescriptorsAcceptingPausesAndGoesOn) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    start([](adapter::ServerOptions& options) { options.fabric.max_files = 300; });
    std::vector<std::unique_ptr<RawClient>> crowd;
    std::vector<bool> answered;
    for (int i = 0; i < 200; ++i) {
        crowd.push_back(std::make_unique<RawClient>(adapter->socket()));
        crowd.back()->send(control::bytes_of(test::attach_request("p" + std::to_string(i))));
        if (i == 64)
            neighbours->exchange();
    }
    const auto has_reply = [](const RawClient& client) {
        pollfd state{client.fd(), POLLIN, 0};
        return ::poll(&state, 1, 0) > 0;
    };
    const auto served = [&] {
        return std::count_if(crowd.begin(), crowd.end(),
                             [&](const auto& client) { return has_reply(*client); });
    };
    EXPECT_TRUE(test::eventually([&] { return served() >= 50; }));
    EXPECT_LT(served(), 200) << "accepting does not pause";
    neighbours->exchange();
    // As some leave, the others come in.
    EXPECT_TRUE(test::eventually([&] {
        for (auto& client : crowd) {
            if (client && has_reply(*client))
                client.reset();
        }
        std::erase(crowd, nullptr);
        return crowd.empty();
    }));
    expect_baseline();
}

TEST_F(ControlFlood, SuddenEndsAtAnyPointLeaveNothing) {
    start();
    test::Random random(1103);
    for (int round = 0; round < 60; ++round) {
        const auto seed = random.next();
        const pid_t child = ::fork();
        if (child == 0) {
            test::Random own(seed);
            RawSession session(adapter->socket("a"), "a");
            const std::uint32_t queue = session.open_completions();
            session.listen("service");
            std::vector<platform::UniqueFd> memory;
            for (std::uint64_t steps = own.below(30);; --steps) {
                if (steps == 0)
                    break;
                switch (own.below(4)) {
                    case 0:
                        memory.push_back(test::region_file(4 << 20));
                        session.client.call(test::register_request(4 << 20), memory.back().get());
                        break;
                    case 1:
                        session.client.call(test::create_request(queue));
                        break;
                    case 2:
                        session.client.call(
                            test::connect_request(session.create_queue_pair(queue), "a/service"));
                        break;
                    default:
                        session.client.call(test::stats_request(abi::StatsKind::queue_pairs));
                        break;
                }
            }
            // The last request is under way when the end comes.
            memory.push_back(test::region_file(32 << 20));
            session.client.send(control::bytes_of(test::register_request(32 << 20)),
                                std::span<const int>(std::array{memory.back().get()}));
            ::kill(::getpid(), SIGKILL);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child could not do its part";
        if (round % 10 == 0)
            neighbours->exchange();
    }
    expect_baseline();
}

TEST_F(ControlFlood, ManyWhoTakeTurnsWithOneNameAllGetIt) {
    start();
    for (int i = 0; i < 300; ++i) {
        RawSession session(adapter->socket("a"), "a");
        session.create_queue_pair(session.open_completions());
        const auto file = test::region_file(1 << 20);
        ASSERT_TRUE(session.client.call(test::register_request(1 << 20), file.get())->ok());
    }
    expect_baseline();
}

}  // namespace
}  // namespace causeway
