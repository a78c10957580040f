import { withPair } from "/work/wt-speed/bench/pair.ts";
await withPair(async ({alice,bob})=>{
 const [near,far]=[await alice.client(),await bob.client()];
 let arrived=(_t:string)=>{};
 await far.daemon.feed.open({},(e)=>{ if(e.type==="message"){ arrived(e.message.text);} });
 for(let i=0;i<Number(process.argv[3]??200);i++){ const text=`message ${i} ${"x".repeat(200)}`;
  const there=new Promise<void>(r=>{arrived=(g)=>{if(g===text){(globalThis as any).__m("arrived");r();}}});
  (globalThis as any).__m("start");
  await near.daemon.message.send({to:"bob",text}); (globalThis as any).__m("answered"); await there;
  await new Promise(r=>setTimeout(r,Number(process.argv[2]??0)));
 }
 near.close();far.close();
});
process.exit(0);
