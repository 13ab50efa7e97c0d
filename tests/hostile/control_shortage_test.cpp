// When the system has too little of something: descriptors, room for descriptors on their way,
// lines in the log. What one client takes must not end another's session, nor keep the adapter
// busy.
#include <grp.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/sanitizers.hpp"
#include "support/direct_sessions.hpp"
#include "support/in_child.hpp"
#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway {
namespace {

using test::InProcessAdapter;
using test::RawClient;
using test::RawSession;
using Clock = std::chrono::steady_clock;

// The kernel bounds how many descriptors of one user are on their way in sockets. A sandbox of the
// same user can fill that, and then the adapter cannot hand out any.
class InFlight {
public:
    InFlight() : ends_(platform::make_socket_pair().value()) {
        const platform::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        const std::vector<int> many(200, null.get());
        const std::byte byte{0};
        while (sent_ < 100 && test::send_raw(ends_.first.get(), std::span(&byte, 1), many))
            ++sent_;
    }
    [[nodiscard]] int sent() const { return sent_; }

private:
    std::pair<platform::UniqueFd, platform::UniqueFd> ends_;
    int sent_ = 0;
};

void become_somebody_with_few_files() {
    constexpr uid_t kSomebody = 12345;
    const rlimit few{256, 256};
    if (::setrlimit(RLIMIT_NOFILE, &few) != 0)
        ::_exit(test::kSkipped);
    if (::geteuid() == 0 &&
        (::setgroups(0, nullptr) != 0 || ::setresgid(kSomebody, kSomebody, kSomebody) != 0 ||
         ::setresuid(kSomebody, kSomebody, kSomebody) != 0))
        ::_exit(test::kSkipped);
    ::prctl(PR_SET_DUMPABLE, 1);  // else /proc/self is root's
}

TEST(ControlShortage, DescriptorsThatCannotBeSentAreTakenBack) {
    test::in_child([] {
        become_somebody_with_few_files();
        const InProcessAdapter adapter([](adapter::ServerOptions& options) {
            options.fabric.quota.max_completion_queues = 2;
        });
        RawSession session(adapter.socket(), "orders");
        RawClient& client = session.client;
        const std::uint32_t queue = session.open_completions();
        auto wakeup = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
        wakeup.doorbell = queue;
        const auto every_kind = [&](const auto& expect) {
            for (const auto kind : {abi::DoorbellKind::events, abi::DoorbellKind::mover,
                                    abi::DoorbellKind::completions})
                expect(client.call(test::doorbell_request(kind)), "doorbell");
            expect(client.call(wakeup), "wakeup_socket");
            expect(client.call(test::create_request(queue)), "create_queue_pair");
        };
        {
            const InFlight flood;
            if (flood.sent() == 100)
                ::_exit(test::kSkipped);  // privileged all the same
            for (int i = 0; i < 5; ++i) {
                every_kind([](const std::optional<test::RawReply>& reply, const char* what) {
                    ASSERT_TRUE(reply.has_value()) << what << ": the session was ended";
                    EXPECT_EQ(reply->code(), ErrorCode::limit_reached) << what;
                    EXPECT_NE(reply->text().find("try again later"), std::string::npos)
                        << what << ": " << reply->text();
                });
                if (testing::Test::HasFatalFailure())
                    return;
            }
            EXPECT_TRUE(client.call(test::listen_request("service"))->ok()) << "needs none";
        }
        // What was made before it could not be told of is gone again.
        EXPECT_TRUE(test::eventually([&] {
            const auto rows = client.call(test::stats_request(abi::StatsKind::partitions)).value();
            return control::parse_rows<abi::PartitionRow>(rows.bytes)->rows.at(0).queue_pairs == 0;
        }));
        // All of it can be had now, none of it was lost on the way.
        every_kind([](const std::optional<test::RawReply>& reply, const char* what) {
            ASSERT_TRUE(reply.has_value()) << what;
            EXPECT_TRUE(reply->ok()) << what << ": " << reply->text();
            EXPECT_TRUE(reply->descriptor.valid()) << what;
        });
        // And only once, as always.
        EXPECT_EQ(client.call(test::doorbell_request(abi::DoorbellKind::events))->code(),
                  ErrorCode::wrong_state);
        EXPECT_EQ(client.call(test::doorbell_request(abi::DoorbellKind::mover))->code(),
                  ErrorCode::wrong_state);
        EXPECT_EQ(client.call(wakeup)->code(), ErrorCode::wrong_state);
        EXPECT_EQ(client.call(test::doorbell_request(abi::DoorbellKind::completions))->code(),
                  ErrorCode::limit_reached)
            << "two";
    });
}

// The same for what direct peers fetch.
TEST(ControlShortage, GrantsThatCannotBeSentAreTakenBack) {
    test::in_child([] {
        become_somebody_with_few_files();
        const InProcessAdapter adapter;
        const std::size_t files = test::open_files();
        {
            test::DirectSessions direct(adapter.socket());
            RawClient& client = direct.from.client;
            // Of the peer's inbound memory, which it has itself already, this is the last
            // descriptor.
            ASSERT_TRUE(direct.to.client
                            .call(test::open_direct_request(direct.pair_to, abi::DirectSide::own))
                            ->ok());
            auto wakeup = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
            wakeup.doorbell =
                direct.open_bell(abi::DoorbellKind::bell_in).as<abi::OpenDoorbellReply>().doorbell;
            const auto every_kind = [&](const auto& expect) {
                expect(
                    client.call(test::open_direct_request(direct.pair_from, abi::DirectSide::peer)),
                    "open_direct");
                expect(client.call(
                           test::resolve_request(direct.pair_from, direct.region.reply.handle)),
                       "resolve");
                expect(client.call(direct.bell_request(abi::DoorbellKind::bell_out)), "bell");
                expect(client.call(wakeup), "its socket");
            };
            {
                const InFlight flood;
                if (flood.sent() == 100)
                    ::_exit(test::kSkipped);
                for (int i = 0; i < 3; ++i) {
                    every_kind([](const std::optional<test::RawReply>& reply, const char* what) {
                        ASSERT_TRUE(reply.has_value()) << what << ": the session was ended";
                        EXPECT_EQ(reply->code(), ErrorCode::limit_reached)
                            << what << ": " << reply->text();
                    });
                    if (testing::Test::HasFatalFailure())
                        return;
                }
            }
            every_kind([](const std::optional<test::RawReply>& reply, const char* what) {
                ASSERT_TRUE(reply.has_value()) << what;
                EXPECT_TRUE(reply->ok()) << what << ": " << reply->text();
                EXPECT_TRUE(reply->descriptor.valid()) << what;
            });
            EXPECT_EQ(
                client.call(test::open_direct_request(direct.pair_from, abi::DirectSide::peer))
                    ->code(),
                ErrorCode::wrong_state)
                << "there once";
        }
        EXPECT_TRUE(test::eventually([&] { return test::open_files() <= files; }))
            << test::open_files() << " descriptors, " << files << " before";
    });
}

// A pair of partitions that connect again and again, and fetch nothing, have what one partition may
// have the adapter hold, not all it has.
TEST(ControlShortage, DirectConnectionsAreCountedForTheirPartitions) {
    const InProcessAdapter adapter(
        [](adapter::ServerOptions& options) { options.fabric.quota.max_files = 32; });
    test::DirectSessions direct(adapter.socket());
    const std::size_t before = test::open_files();
    std::string refused;
    for (int i = 0; i < 200 && refused.empty(); ++i) {
        const auto accepted = direct.connect_another();
        if (!accepted.ok()) {
            EXPECT_EQ(accepted.code(), ErrorCode::limit_reached) << accepted.text();
            refused = accepted.text();
        }
    }
    EXPECT_NE(refused.find("of at most 32"), std::string::npos) << refused;
    EXPECT_LE(test::open_files(), before + 2 * 32);
    // Others connect all the same.
    EXPECT_NO_THROW(test::DirectSessions(adapter.socket(), "other"));
}

double cpu_seconds(std::thread& thread) {
    clockid_t clock{};
    timespec time{};
    if (::pthread_getcpuclockid(thread.native_handle(), &clock) != 0 ||
        ::clock_gettime(clock, &time) != 0)
        throw std::runtime_error("the thread's clock");
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The kernel says that there are none, although by the adapter's own count there should be: others
// of its user, or of the whole system, have them.
TEST(ControlShortage, WithoutDescriptorsTheAdapterDoesNotSpin) {
#if CW_ADDRESS_SANITIZER
    GTEST_SKIP() << "UndefinedBehaviorSanitizer looks at objects through pipes, which need some";
#endif
    test::in_child([] {
        auto lines = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100'000);
        const auto log = std::make_shared<spdlog::logger>("test", lines);
        InProcessAdapter adapter(nullptr, true, log);
        std::vector<RawClient> crowd;
        for (int i = 0; i < 20; ++i) {
            crowd.emplace_back(adapter.socket());
            crowd.back().send(control::bytes_of(test::attach_request("p" + std::to_string(i))));
        }
        rlimit before{};
        ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
        const std::size_t files = test::open_files();
        const rlimit few{files, before.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
        const auto begin = Clock::now();
        adapter.run();
        std::this_thread::sleep_for(std::chrono::seconds(1));
        const double used = cpu_seconds(adapter.thread());
        const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
        EXPECT_LT(used, elapsed / 4) << "of one thread's time, over " << elapsed << " s";
        EXPECT_FALSE(crowd.back().taken());
        EXPECT_LT(lines->last_formatted().size(), 100u);
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
        for (RawClient& client : crowd)
            EXPECT_TRUE(client.receive().value().ok()) << "and then it goes on";
    });
}

// One line a second in the long run, however often who causes them comes anew.
TEST(ControlShortage, WhoComesAgainAndAgainCannotFillTheLog) {
    auto lines = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100'000);
    const auto log = std::make_shared<spdlog::logger>("test", lines);
    const auto begin = Clock::now();
    {
        const InProcessAdapter adapter(nullptr, false, log);
        for (int i = 0; i < 200; ++i) {
            RawSession session(adapter.socket("a"), "a");
            for (int refused = 0; refused < 6; ++refused)
                EXPECT_FALSE(session.client.call(test::disconnect_request(77))->ok());
        }
    }
    const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    // Twenty at once and one a second more: about who comes and goes, and about what is refused.
    EXPECT_LE(static_cast<double>(lines->last_formatted().size()), 2 * (21 + elapsed) + 20);
}

}  // namespace
}  // namespace causeway
