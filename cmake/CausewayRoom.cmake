# A room is a folder under src/: one static library causeway_<room>, made from every .cpp in it.

# causeway_room(<name> [DEPENDS <room>...] [LIBRARIES <target>...])
# Only headers in the folder: an INTERFACE library, so that dependants need not care.
function(causeway_room name)
    cmake_parse_arguments(arg "" "" "DEPENDS;LIBRARIES" ${ARGN})
    set(target causeway_${name})
    if(TARGET ${target})
        return()
    endif()
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
    set(links causeway_headers ${arg_LIBRARIES})
    foreach(room IN LISTS arg_DEPENDS)
        if(TARGET causeway_${room})
            list(APPEND links causeway_${room})
        endif()
    endforeach()
    if(sources)
        add_library(${target} STATIC ${sources})
        target_link_libraries(${target} PUBLIC ${links})
    else()
        add_library(${target} INTERFACE)
        target_link_libraries(${target} INTERFACE ${links})
    endif()
    set_property(GLOBAL APPEND PROPERTY CAUSEWAY_ROOMS ${target})
endfunction()

# causeway_add_room(<name> ...): the room's own CMakeLists.txt if it has one, else causeway_room with these arguments.
# Where the folder does not exist, dependants get what the room would have depended on; a folder that appears later is
# noticed at the next build.
function(causeway_add_room name)
    file(GLOB present CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*)
    if(EXISTS ${PROJECT_SOURCE_DIR}/src/${name}/CMakeLists.txt)
        add_subdirectory(${PROJECT_SOURCE_DIR}/src/${name})
    else()
        causeway_room(${name} ${ARGN})
    endif()
endfunction()

# causeway_rooms(<variable>): the room targets that this tree has.
function(causeway_rooms variable)
    get_property(rooms GLOBAL PROPERTY CAUSEWAY_ROOMS)
    set(${variable} ${rooms} PARENT_SCOPE)
endfunction()
