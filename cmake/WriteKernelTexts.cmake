# cmake -DTEXTS=a.cuh;b.cuh -DOUT=file.c -P this: each text as an array of characters, since compilers need not take a
# string literal as long as a kernel.
set(out "// Generated from src/backend/cuda/kernels.\n#include \"backend/cuda/compile.h\"\n\n")
set(table "")
foreach(path IN LISTS TEXTS)
  get_filename_component(name ${path} NAME)
  string(MAKE_C_IDENTIFIER ${name} identifier)
  file(READ ${path} text)
  # Whole-line comments and indentation; a string in a kernel never begins a line with //.
  string(REGEX REPLACE "\n[ \t]*//[^\n]*" "" text "\n${text}")
  string(REGEX REPLACE "\n[ \t]+" "\n" text "${text}")
  file(WRITE ${OUT}.text "${text}")
  file(READ ${OUT}.text hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND out "static const char ${identifier}[] = {${bytes}0};\n")
  string(APPEND table "    {\"${name}\", ${identifier}},\n")
endforeach()
file(REMOVE ${OUT}.text)
file(WRITE ${OUT} "${out}\nconst ferry_cuda_text ferry_cuda_texts[] = {\n${table}    {0, 0}};\n")
