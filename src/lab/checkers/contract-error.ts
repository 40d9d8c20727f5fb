/** An owner or a driver broke its contract with the VM, or the VM broke its contract with it. */
export class ContractError extends Error {
  override readonly name = "ContractError";
}
