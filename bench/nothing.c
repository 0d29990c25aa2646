/*
 * nothing - does nothing, and ends with 0: what the start of any program costs at least, with this C library,
 * linked this way.
 */
int main(void)
{
    return 0;
}
