// Stepper: leads a traced thread from instruction to instruction.
//
// A whole way is recorded once, one single step per instruction. Going to a later place of the same
// way is then cheap: the thread runs freely to the last instruction before it that had not been
// executed earlier on that way (a breakpoint in its own copy of the code), and only from there on
// step by step. A way differs a little from run to run, where others take part in it; then the
// thread ends up beside the place that was meant, or at the end of the way.
//
// Threading: everything from the one thread that traces. Ownership: the traced thread is the
// caller's, which kills it or lets it go.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace causeway::test {

// The traced process marks where a way begins and where it ends.
inline void mark_for_stepper() noexcept {
#if defined(__x86_64__)
    asm volatile("int3" ::: "memory");
#else
    __builtin_trap();
#endif
}

class Stepper {
public:
    struct Way {
        std::vector<std::uint64_t> at;      // where it stood before each instruction
        std::vector<std::uint32_t> anchor;  // the last one up to each that was there first

        [[nodiscard]] std::size_t size() const noexcept { return at.size(); }
    };

    enum class Stop {
        mark,   // at the next mark
        place,  // where it should go to
        gone,   // it has ended by itself; the status is in status()
    };

    // `thread` is traced by the caller, and stopped.
    explicit Stepper(pid_t thread) noexcept : thread_(thread) {}

    // Lets it run to the next mark.
    [[nodiscard]] Stop run_to_mark();
    // One instruction; of a long string instruction one iteration, and in the end all the rest.
    [[nodiscard]] Stop step();
    // Steps to the next mark, or `most` instructions far.
    [[nodiscard]] Stop record(std::size_t most, Way& way);
    // From the beginning of `way` to the place after `count` of its instructions.
    [[nodiscard]] Stop go(const Way& way, std::size_t count);
    // How it ended, as of waitpid().
    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] std::uint64_t place() const;
    // About to make this system call?
    [[nodiscard]] bool about_to_call(long& number) const;

private:
    [[nodiscard]] Stop resume(int request);
    [[nodiscard]] bool set_off(int request, long signal) const;
    [[nodiscard]] Stop await(int request);
    [[nodiscard]] bool set_breakpoint(std::uint64_t address);
    [[nodiscard]] bool at_breakpoint();
    void clear_breakpoint();

    pid_t thread_;
    int status_ = 0;
    std::uint64_t breakpoint_ = 0;
    long covered_ = 0;            // what stood there
    std::size_t iterations_ = 0;  // of the string instruction that it stands at
};

// Is there a debugger's help to be had here: tracing, single steps? Tried once.
[[nodiscard]] bool can_step();

}  // namespace causeway::test
