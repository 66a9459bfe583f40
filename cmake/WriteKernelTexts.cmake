# cmake -DTEXTS=a.cuh;b.cuh -DWORDS=words.txt -DOUT=file.c -P this: each text as an array of bytes, since compilers need
# not take a string literal as long as a kernel. Bytes from 128 on stand for the words of WORDS, in their order, a line
# each with ` for a blank: half the bytes. Which words these are decides sizes alone; tools/kernel_words.py finds good
# ones. src/backend/cuda/texts.c undoes it.

cmake_minimum_required(VERSION 3.16)

# "0x61,0x62," of a file: a form in which every byte is by itself, and none means anything to CMake.
function(read_bytes path out)
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  set(${out} "${bytes}" PARENT_SCOPE)
endfunction()

read_bytes(${WORDS} words)
string(REPLACE "0x60," "0x20," words "${words}")
string(REPLACE "0x0a," ";" words "${words}")
list(REMOVE_ITEM words "")

set(out "// Generated from src/backend/cuda/kernels.\n#include \"backend/cuda/texts.h\"\n\n")
set(table "")
set(room 0)
foreach(path IN LISTS TEXTS)
  get_filename_component(name ${path} NAME)
  string(MAKE_C_IDENTIFIER ${name} identifier)
  file(READ ${path} text)
  # Comments, indentation and alignment go; no string in a kernel has // or two blanks in it.
  string(REGEX REPLACE "[ \t]*//[^\n]*" "" text "\n${text}")
  string(REGEX REPLACE "[ \t]+" " " text "${text}")
  string(REGEX REPLACE "\n[ \n]+" "\n" text "${text}")
  file(WRITE ${OUT}.text "${text}")
  read_bytes(${OUT}.text bytes)
  if(bytes MATCHES "0x[89a-f]")
    message(FATAL_ERROR "${path}: a character that is not ASCII")
  endif()
  string(LENGTH "${bytes}" length)
  math(EXPR room "${room} + ${length} / 5 + 1")
  set(code 127)
  foreach(word IN LISTS words)
    math(EXPR code "${code} + 1" OUTPUT_FORMAT HEXADECIMAL)
    string(REPLACE "${word}" "${code}," bytes "${bytes}")
  endforeach()
  string(APPEND out "static const unsigned char ${identifier}[] = {${bytes}0};\n")
  string(APPEND table "    {\"${name}\", ${identifier}},\n")
endforeach()
file(REMOVE ${OUT}.text)
string(REPLACE ";" "0x00," words "${words}")
string(APPEND out "\nconst ferry_cuda_packed_text ferry_cuda_packed_texts[] = {\n${table}    {0, 0}};\n")
string(APPEND out "const unsigned char ferry_cuda_words[] = {${words}0x00,0x00};\n")
file(WRITE ${OUT} "${out}char ferry_cuda_text_room[${room}];\n")
