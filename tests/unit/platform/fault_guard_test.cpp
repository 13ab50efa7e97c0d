#include "platform/fault_guard.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "base/sanitizers.hpp"
#include "platform/mapping.hpp"
#include "platform/memfd.hpp"
#include "support/temp_directory.hpp"

namespace causeway::platform {
namespace {

class FaultGuard : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(install_fault_guard().has_value()); }
};

void write_byte(std::byte* where) { *static_cast<volatile std::byte*>(where) = std::byte{1}; }
void read_byte(const std::byte* where) {
    static_cast<void>(*static_cast<const volatile std::byte*>(where));
}

TEST_F(FaultGuard, RunsWhatDoesNotFault) {
    int done = 0;
    FaultInfo fault{1, 1};
    EXPECT_TRUE(guarded([&] { done = 7; }, fault));
    EXPECT_EQ(done, 7);
    EXPECT_EQ(fault.address, 1u) << "untouched";
    EXPECT_EQ(detail::fault_frame, nullptr);
}

TEST_F(FaultGuard, CatchesAPageWithoutAccess) {
    const Mapping memory = Mapping::reserve(8192).value();
    FaultInfo fault;
    EXPECT_FALSE(guarded([&] { write_byte(memory.data() + 5000); }, fault));
    EXPECT_EQ(fault.address, memory.address() + 5000);
    EXPECT_EQ(fault.signal, SIGSEGV);
    EXPECT_FALSE(guarded([&] { read_byte(memory.data()); }, fault));
    EXPECT_EQ(fault.address, memory.address());
    EXPECT_EQ(detail::fault_frame, nullptr);
}

TEST_F(FaultGuard, CatchesAFilePastItsEnd) {
    const test::TempDirectory directory;
    const UniqueFd file(::open((directory / "file").c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_EQ(::ftruncate(file.get(), 8192), 0);
    const Mapping memory = Mapping::map(file.get(), 8192).value();
    write_byte(memory.data() + 4096);
    ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
    FaultInfo fault;
    EXPECT_FALSE(guarded([&] { read_byte(memory.data() + 4096); }, fault));
    EXPECT_EQ(fault.address, memory.address() + 4096);
    EXPECT_EQ(fault.signal, SIGBUS);
    EXPECT_TRUE(guarded([&] { read_byte(memory.data()); }, fault));
}

TEST_F(FaultGuard, APunchedHoleOfASealedMemfdReadsAsZerosWithoutFault) {
    const UniqueFd fd = create_memfd("hole", 8192, kSizeSeals).value();
    const Mapping memory = Mapping::map(fd.get(), 8192).value();
    std::memset(memory.data(), 9, 8192);
    ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    std::byte copy{5};
    EXPECT_TRUE(guarded([&] { std::memcpy(&copy, memory.data() + 100, 1); }));
    EXPECT_EQ(copy, std::byte{0});
    EXPECT_EQ(memory.data()[5000], std::byte{9});
}

TEST_F(FaultGuard, ALibraryCopyThatFaultsInTheMiddleIsLeftThere) {
    Mapping memory = Mapping::reserve(3 * 4096).value();
    const UniqueFd fd = create_memfd("two", 8192, 0).value();
    ASSERT_TRUE(memory.place(0, fd.get(), 0, 8192).has_value());
    const std::vector<std::byte> source(3 * 4096, std::byte{3});
    FaultInfo fault;
    EXPECT_FALSE(guarded([&] { std::memcpy(memory.data(), source.data(), source.size()); }, fault));
    EXPECT_GE(fault.address, memory.address() + 8192);
    EXPECT_LT(fault.address, memory.address() + 3 * 4096);
}

TEST_F(FaultGuard, NestsAndTheInnermostTakesTheFault) {
    const Mapping bad = Mapping::reserve(4096).value();
    std::atomic<int> inner_failed{0};
    std::atomic<int> after{0};
    FaultInfo outer_fault;
    EXPECT_TRUE(guarded(
        [&] {
            if (!guarded([&] { write_byte(bad.data()); }))
                inner_failed = 1;
            after = 1;
        },
        outer_fault));
    EXPECT_EQ(inner_failed, 1);
    EXPECT_EQ(after, 1);
    EXPECT_EQ(outer_fault.signal, 0);

    // The outer guard is in force again after the inner one has caught something, or nothing.
    for (const bool inner_faults : {true, false}) {
        EXPECT_FALSE(guarded(
            [&] {
                static_cast<void>(guarded([&] {
                    if (inner_faults)
                        write_byte(bad.data());
                }));
                write_byte(bad.data());
            },
            outer_fault));
        EXPECT_EQ(outer_fault.address, bad.address());
    }
    EXPECT_EQ(detail::fault_frame, nullptr);
}

TEST_F(FaultGuard, AFaultOutsideTheInnerRangesGoesToTheOuterGuard) {
    const Mapping mine = Mapping::reserve(4096).value();
    const Mapping others = Mapping::reserve(4096).value();
    const FaultRange ranges[] = {{1, 2}, {mine.address(), mine.address() + 4096}};
    FaultInfo inner;
    FaultInfo outer;
    std::atomic<int> inner_returned{0};
    EXPECT_FALSE(guarded(
        [&] {
            static_cast<void>(guarded_within(
                ranges, [&] { write_byte(others.data() + 3); }, inner));
            inner_returned = 1;
        },
        outer));
    EXPECT_EQ(inner_returned, 0);
    EXPECT_EQ(inner.signal, 0);
    EXPECT_EQ(outer.address, others.address() + 3);
    EXPECT_FALSE(guarded_within(
        ranges, [&] { write_byte(mine.data() + 4095); }, inner));
    EXPECT_EQ(inner.address, mine.address() + 4095);
}

TEST_F(FaultGuard, WorksInEveryThreadByItself) {
    const Mapping bad = Mapping::reserve(4096).value();
    std::atomic<int> caught{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                FaultInfo fault;
                if (!guarded([&] { read_byte(bad.data() + i); }, fault) &&
                    fault.address == bad.address() + static_cast<unsigned>(i)) {
                    ++caught;
                }
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(caught, 2000);
}

TEST_F(FaultGuard, EndsACopyWhoseMemoryIsRevokedByAnotherThread) {
    constexpr std::size_t kSize = std::size_t{4} << 20;
    std::vector<std::byte> target(kSize);
    for (int round = 0; round < 20; ++round) {
        const UniqueFd fd = create_memfd("revoked", kSize, kSizeSeals).value();
        Mapping memory = Mapping::map(fd.get(), kSize).value();
        ASSERT_TRUE(memory.populate_write(0, kSize).has_value());
        const FaultRange range{memory.address(), memory.address() + kSize};
        std::atomic<int> copies{0};
        FaultInfo fault;
        std::thread copier([&] {
            while (guarded_within(
                std::span(&range, 1), [&] { std::memcpy(target.data(), memory.data(), kSize); },
                fault)) {
                copies.fetch_add(1);
            }
        });
        while (copies.load() < 1)
            std::this_thread::yield();
        ASSERT_TRUE(memory.revoke().has_value());
        copier.join();  // hangs, or dies, unless the copy ended with a fault
        EXPECT_TRUE(memory.contains(fault.address));
        EXPECT_EQ(fault.signal, SIGSEGV);
    }
}

TEST_F(FaultGuard, LeavesTheSignalMaskAlone) {
    const Mapping bad = Mapping::reserve(4096).value();
    sigset_t before;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
    EXPECT_FALSE(guarded([&] { write_byte(bad.data()); }));
    sigset_t after;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
    for (int signal = 1; signal < SIGRTMIN; ++signal) {
        EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
    }
}

TEST_F(FaultGuard, WorksOnAnAlternateSignalStack) {
    std::vector<std::byte> stack(static_cast<std::size_t>(SIGSTKSZ) * 2);
    std::atomic<int> caught{0};
    std::thread([&] {
        stack_t alternate{};
        alternate.ss_sp = stack.data();
        alternate.ss_size = stack.size();
        stack_t old{};
        ASSERT_EQ(::sigaltstack(&alternate, &old), 0);
        const Mapping bad = Mapping::reserve(4096).value();
        for (int i = 0; i < 3; ++i) {
            if (!guarded([&] { write_byte(bad.data()); }))
                ++caught;
        }
        ASSERT_EQ(::sigaltstack(&old, nullptr), 0);
    }).join();
    EXPECT_EQ(caught, 3);
}

// What follows changes the handlers of the process for good: in children only. Sanitizers install
// their own handlers and change what the masks hold.

#if !CW_ADDRESS_SANITIZER && !CW_THREAD_SANITIZER

std::uintptr_t expected_address = 0;

void exit_by_info(int signal, siginfo_t* info, void*) {
    sigset_t mask;
    ::sigprocmask(SIG_BLOCK, nullptr, &mask);
    const bool right = reinterpret_cast<std::uintptr_t>(info->si_addr) == expected_address &&
                       signal == SIGSEGV && sigismember(&mask, SIGSEGV) == 1 &&
                       sigismember(&mask, SIGUSR1) == 1;
    ::_exit(right ? 51 : 52);
}
void exit_plainly(int signal) { ::_exit(signal == SIGSEGV ? 53 : 54); }

void restore_default() {
    for (const int signal : {SIGSEGV, SIGBUS}) {
        struct sigaction standard {};
        standard.sa_handler = SIG_DFL;
        ::sigaction(signal, &standard, nullptr);
    }
}

// Runs in a child whose handlers are the system's own. Ours of the parent are "previous" there too.
void after_installing(int signal, const struct sigaction& previous, void (*then)()) {
    restore_default();
    ::sigaction(signal, &previous, nullptr);
    if (!install_fault_guard().has_value())
        ::_exit(99);
    then();
    ::_exit(98);
}

TEST(FaultGuardDeathTest, PassesAForeignFaultToAHandlerWithInfo) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            struct sigaction action {};
            action.sa_sigaction = exit_by_info;
            action.sa_flags = SA_SIGINFO;
            sigaddset(&action.sa_mask, SIGUSR1);
            after_installing(SIGSEGV, action, [] {
                const Mapping bad = Mapping::reserve(4096).value();
                expected_address = bad.address() + 9;
                // Inside a guard whose range does not match.
                const FaultRange elsewhere{1, 2};
                FaultInfo fault;
                static_cast<void>(guarded_within(
                    std::span(&elsewhere, 1), [&] { write_byte(bad.data() + 9); }, fault));
            });
        },
        testing::ExitedWithCode(51), "");
}

TEST(FaultGuardDeathTest, PassesAForeignFaultToAPlainHandler) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            struct sigaction action {};
            action.sa_handler = exit_plainly;
            after_installing(SIGSEGV, action, [] {
                const Mapping bad = Mapping::reserve(4096).value();
                write_byte(bad.data());
            });
        },
        testing::ExitedWithCode(53), "");
}

TEST(FaultGuardDeathTest, WithoutAnyOtherHandlerAForeignFaultKills) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    EXPECT_EXIT(after_installing(SIGSEGV, standard,
                                 [] {
                                     const Mapping bad = Mapping::reserve(4096).value();
                                     write_byte(bad.data());
                                 }),
                testing::KilledBySignal(SIGSEGV), "");
}

TEST(FaultGuardDeathTest, ASignalThatWasSentIsNoFaultEvenInsideAGuard) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    EXPECT_EXIT(
        after_installing(SIGBUS, standard,
                         [] { static_cast<void>(guarded([] { ::kill(::getpid(), SIGBUS); })); }),
        testing::KilledBySignal(SIGBUS), "");
}

TEST(FaultGuardDeathTest, ASentSignalThatWasIgnoredStaysIgnored) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    EXPECT_EXIT(after_installing(SIGBUS, ignore,
                                 [] {
                                     ::kill(::getpid(), SIGBUS);
                                     ::_exit(60);
                                 }),
                testing::ExitedWithCode(60), "");
}

TEST(FaultGuardDeathTest, NoticesAHandlerPutOverItsOwn) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            if (!install_fault_guard().has_value() || !fault_guard_installed())
                ::_exit(1);
            if (!install_fault_guard().has_value())
                ::_exit(2);  // again: harmless
            struct sigaction action {};
            action.sa_handler = exit_plainly;
            ::sigaction(SIGSEGV, &action, nullptr);
            if (fault_guard_installed())
                ::_exit(3);
            const auto result = install_fault_guard();
            if (result.has_value() || result.error().code != ErrorCode::wrong_state)
                ::_exit(4);
            // Reset to the default is no such obstacle.
            restore_default();
            if (!install_fault_guard().has_value() || !fault_guard_installed())
                ::_exit(5);
            ::_exit(61);
        },
        testing::ExitedWithCode(61), "");
}

// The first direct connections of a process may be made by several threads at once: none takes
// another one's handler for somebody else's.
bool several_can_install_at_once() {
    struct sigaction before {};
    before.sa_handler = exit_plainly;
    ::sigaction(SIGSEGV, &before, nullptr);
    ::sigaction(SIGBUS, &before, nullptr);
    constexpr int kThreads = 8;
    std::atomic<int> ready{0};
    std::atomic<int> installed{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            ++ready;
            while (ready < kThreads)
                std::this_thread::yield();
            installed += install_fault_guard().has_value() ? 1 : 0;
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    return installed == kThreads;
}

TEST(FaultGuardDeathTest, SeveralThreadsMayInstallItAtOnce) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            // Once in each process, and in a moment that is soon over.
            for (int i = 0; i < 400; ++i) {
                const pid_t child = ::fork();
                if (child == 0)
                    ::_exit(several_can_install_at_once() ? 0 : 1);
                int status = 0;
                if (::waitpid(child, &status, 0) != child || status != 0)
                    ::_exit(1);
            }
            ::_exit(62);
        },
        testing::ExitedWithCode(62), "");
}

#endif

}  // namespace
}  // namespace causeway::platform
