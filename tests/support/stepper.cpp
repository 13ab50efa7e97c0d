#include "support/stepper.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <unordered_set>

namespace causeway::test {
namespace {

// Of siginfo, where the kernel's and glibc's headers differ in what they name.
constexpr int kTrapByInt3 = SI_KERNEL;
constexpr long kInt3 = 0xcc;
// Iterations of one string instruction that are gone through: each is a step.
constexpr std::size_t kMostIterations = 256;

[[nodiscard]] int trap_code(pid_t thread) {
    siginfo_t info{};
    return ::ptrace(PTRACE_GETSIGINFO, thread, nullptr, &info) == 0 ? info.si_code : 0;
}

// Bytes of the repeated string instruction at `address`; 0: another one.
[[nodiscard]] std::uint64_t string_instruction(pid_t thread, std::uint64_t address) {
    errno = 0;
    const long code = ::ptrace(PTRACE_PEEKTEXT, thread, address, nullptr);
    if (errno != 0 || ((code & 0xff) != 0xf3 && (code & 0xff) != 0xf2))
        return 0;
    const bool wide = (code >> 8 & 0xf0) == 0x40;
    const long opcode = code >> (wide ? 16 : 8) & 0xff;
    const bool string = (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);
    return string ? (wide ? 3 : 2) : 0;
}

[[nodiscard]] user_regs_struct registers_of(pid_t thread) {
    user_regs_struct registers{};
    (void)::ptrace(PTRACE_GETREGS, thread, nullptr, &registers);
    return registers;
}

}  // namespace

// Runs it until the next trap.
Stepper::Stop Stepper::resume(int request) {
    return set_off(request, 0) ? await(request) : Stop::gone;
}

bool Stepper::set_off(int request, long signal) const {
    return ::ptrace(static_cast<__ptrace_request>(request), thread_, nullptr, signal) == 0 ||
           errno == ESRCH;
}

// The next trap of one that runs; other signals are passed on.
Stepper::Stop Stepper::await(int request) {
    for (;;) {
        if (::waitpid(thread_, &status_, __WALL) != thread_ || !WIFSTOPPED(status_))
            return Stop::gone;
        if (WSTOPSIG(status_) == SIGTRAP && status_ >> 16 == 0) {
            if (trap_code(thread_) != kTrapByInt3)
                return Stop::place;
            return at_breakpoint() ? Stop::place : Stop::mark;
        }
        if (!set_off(request, status_ >> 16 == 0 ? WSTOPSIG(status_) : 0))
            return Stop::gone;
    }
}

// It runs already, and may stand at the mark by now.
Stepper::Stop Stepper::run_to_mark() {
    Stop stop = await(PTRACE_CONT);
    while (stop == Stop::place)
        stop = resume(PTRACE_CONT);
    return stop;
}

Stepper::Stop Stepper::step() {
    const std::uint64_t before = place();
    const Stop stop = resume(PTRACE_SINGLESTEP);
    if (stop != Stop::place || place() != before) {
        iterations_ = 0;
        return stop;
    }
    // A long one is left at once.
    if (const std::uint64_t length = string_instruction(thread_, before);
        ++iterations_ >= kMostIterations && length != 0 && set_breakpoint(before + length)) {
        const Stop left = resume(PTRACE_CONT);
        clear_breakpoint();
        iterations_ = 0;
        return left;
    }
    return stop;
}

Stepper::Stop Stepper::record(std::size_t most, Way& way) {
    std::unordered_set<std::uint64_t> passed;
    std::uint32_t anchor = 0;
    while (way.size() < most) {
        way.at.push_back(place());
        if (passed.insert(way.at.back()).second)
            anchor = static_cast<std::uint32_t>(way.size() - 1);
        way.anchor.push_back(anchor);
        if (const Stop stop = step(); stop != Stop::place)
            return stop;
    }
    return Stop::place;
}

Stepper::Stop Stepper::go(const Way& way, std::size_t count) {
    std::size_t anchor = count < way.size() ? way.anchor[count] : 0;
    if (anchor != 0 && set_breakpoint(way.at[anchor])) {
        const Stop stop = resume(PTRACE_CONT);
        clear_breakpoint();
        if (stop != Stop::place)
            return stop;
    } else {
        anchor = 0;
    }
    for (std::size_t i = anchor; i < count; ++i) {
        if (const Stop stop = step(); stop != Stop::place)
            return stop;
    }
    return Stop::place;
}

std::uint64_t Stepper::place() const { return registers_of(thread_).rip; }

bool Stepper::about_to_call(long& number) const {
    const user_regs_struct registers = registers_of(thread_);
    errno = 0;
    const long code = ::ptrace(PTRACE_PEEKTEXT, thread_, registers.rip, nullptr);
    number = static_cast<long>(registers.rax);
    return errno == 0 && (code & 0xffff) == 0x050f;  // syscall
}

// In the code itself: debug registers lose traps on some virtual machines.
bool Stepper::set_breakpoint(std::uint64_t address) {
    errno = 0;
    covered_ = ::ptrace(PTRACE_PEEKTEXT, thread_, address, nullptr);
    if (errno != 0)
        return false;
    const long covering = (covered_ & ~0xffL) | kInt3;
    if (::ptrace(PTRACE_POKETEXT, thread_, address, covering) != 0)
        return false;
    breakpoint_ = address;
    return true;
}

// Back to the instruction that it stands for.
bool Stepper::at_breakpoint() {
    user_regs_struct registers = registers_of(thread_);
    if (breakpoint_ == 0 || registers.rip != breakpoint_ + 1)
        return false;
    --registers.rip;
    return ::ptrace(PTRACE_SETREGS, thread_, nullptr, &registers) == 0;
}

void Stepper::clear_breakpoint() {
    (void)::ptrace(PTRACE_POKETEXT, thread_, breakpoint_, covered_);
    breakpoint_ = 0;
}

bool can_step() {
    static const bool can = [] {
        const pid_t child = ::fork();
        if (child == 0) {
            if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
                ::_exit(1);
            mark_for_stepper();
            mark_for_stepper();
            ::_exit(0);
        }
        int status = 0;
        bool works = ::waitpid(child, &status, __WALL) == child && WIFSTOPPED(status);
        if (works) {
            Stepper stepper(child);
            Stepper::Way way;
            works = stepper.record(16, way) == Stepper::Stop::mark;
            ::kill(child, SIGKILL);
            ::waitpid(child, &status, __WALL);
        }
        return works;
    }();
    return can;
}

}  // namespace causeway::test
