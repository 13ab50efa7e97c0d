// Fault points: named places at which a test has its process killed or stopped, in builds for tests
// only (CAUSEWAY_FAULT_POINTS). In what is shipped nothing of them is left.
//
//   CAUSEWAY_FAULT=engine.receiver.completed:3:stop   the third time, stop instead of kill
//
// Points stand in .cpp files only: those that hold one are compiled a second time for the tests
// (tests/CMakeLists.txt), and inline code must be the same in both.
//
// Threading: all functions may be called from any thread, arm() while nobody comes by a point.
#pragma once

#if defined(CAUSEWAY_FAULT_POINTS)

namespace causeway::fault {

void reached(const char* point) noexcept;
// "POINT[:COUNT[:kill|stop]]", as in the environment, which it replaces; "" disarms.
void arm(const char* order) noexcept;

}  // namespace causeway::fault

#define CAUSEWAY_FAULT_POINT(point) ::causeway::fault::reached(point)
#else
#define CAUSEWAY_FAULT_POINT(point) static_cast<void>(0)
#endif
